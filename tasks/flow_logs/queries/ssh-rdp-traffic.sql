-- SSH and RDP sessions and attempts.
SELECT srcaddr, srcport, dstaddr, dstport, action,
  MIN("start") AS first_seen, MAX("end") AS last_seen, SUM(packets) AS packets, SUM(bytes) AS bytes
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND protocol = 6 AND (dstport IN (22, 3389) OR srcport IN (22, 3389))
GROUP BY srcaddr, srcport, dstaddr, dstport, action
ORDER BY bytes DESC, srcaddr, srcport, dstaddr, dstport
LIMIT :most
