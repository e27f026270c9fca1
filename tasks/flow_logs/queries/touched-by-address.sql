-- Every interface that one address reached or tried to, and what got through.
SELECT interface_id, srcaddr, dstaddr, CASE WHEN srcaddr = :address THEN dstport ELSE srcport END AS port, protocol, action,
  MIN("start") AS first_seen, MAX("end") AS last_seen, SUM(packets) AS packets, SUM(bytes) AS bytes
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND (srcaddr = :address OR dstaddr = :address)
GROUP BY interface_id, srcaddr, dstaddr, 4, protocol, action
ORDER BY bytes DESC, interface_id, srcaddr, dstaddr, port
LIMIT :most
