-- TCP traffic that was rejected, by who tried what.
SELECT srcaddr, dstaddr, dstport, SUM(packets) AS packets, SUM(bytes) AS bytes, COUNT(*) AS flows
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND action = 'REJECT' AND protocol = 6
GROUP BY srcaddr, dstaddr, dstport
ORDER BY packets DESC, srcaddr, dstaddr, dstport
LIMIT :most
