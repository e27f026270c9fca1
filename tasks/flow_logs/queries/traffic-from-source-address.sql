-- What one address sent, and where to.
SELECT srcaddr, dstaddr, dstport, protocol, action,
  MIN("start") AS first_seen, MAX("end") AS last_seen, SUM(packets) AS packets, SUM(bytes) AS bytes
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND srcaddr = :address
GROUP BY srcaddr, dstaddr, dstport, protocol, action
ORDER BY bytes DESC, dstaddr, dstport
LIMIT :most
