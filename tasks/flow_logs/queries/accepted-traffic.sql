-- Accepted traffic, the newest first.
SELECT "start", "end", interface_id, srcaddr, srcport, dstaddr, dstport, protocol, packets, bytes
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND action = 'ACCEPT'
ORDER BY "start" DESC, interface_id, srcaddr, srcport
LIMIT :most
