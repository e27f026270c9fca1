-- IPv6 traffic between pairs of addresses.
SELECT srcaddr, dstaddr, action, SUM(packets) AS packets, SUM(bytes) AS bytes
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND type = 'IPv6'
GROUP BY srcaddr, dstaddr, action
ORDER BY bytes DESC, srcaddr, dstaddr
LIMIT :most
