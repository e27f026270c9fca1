-- The original senders that sent most, behind NAT gateways and load balancers.
SELECT pkt_srcaddr, SUM(bytes) AS bytes, SUM(packets) AS packets, COUNT(DISTINCT pkt_dstaddr) AS partners
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND log_status = 'OK'
GROUP BY pkt_srcaddr
ORDER BY bytes DESC, pkt_srcaddr
LIMIT :most
