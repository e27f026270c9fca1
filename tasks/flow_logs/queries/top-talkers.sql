-- The addresses that sent most.
SELECT srcaddr, SUM(bytes) AS bytes, SUM(packets) AS packets, COUNT(DISTINCT dstaddr) AS partners
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND log_status = 'OK'
GROUP BY srcaddr
ORDER BY bytes DESC, srcaddr
LIMIT :most
