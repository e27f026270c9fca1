-- The subnets whose interfaces saw most.
SELECT subnet_id, SUM(bytes) AS bytes, SUM(packets) AS packets
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND subnet_id IS NOT NULL
GROUP BY subnet_id
ORDER BY bytes DESC, subnet_id
LIMIT :most
