-- What one address received, and from where.
SELECT dstaddr, srcaddr, dstport, protocol, action,
  MIN("start") AS first_seen, MAX("end") AS last_seen, SUM(packets) AS packets, SUM(bytes) AS bytes
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND dstaddr = :address
GROUP BY dstaddr, srcaddr, dstport, protocol, action
ORDER BY bytes DESC, srcaddr, dstport
LIMIT :most
