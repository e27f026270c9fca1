-- The TCP connections that carried most.
SELECT srcaddr, srcport, dstaddr, dstport, SUM(bytes) AS bytes, SUM(packets) AS packets
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND protocol = 6
GROUP BY srcaddr, srcport, dstaddr, dstport
ORDER BY bytes DESC, srcaddr, srcport, dstaddr, dstport
LIMIT :most
