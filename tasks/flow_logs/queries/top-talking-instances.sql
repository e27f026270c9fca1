-- The instances whose interfaces saw most.
SELECT instance_id, SUM(bytes) AS bytes, SUM(packets) AS packets
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND instance_id IS NOT NULL
GROUP BY instance_id
ORDER BY bytes DESC, instance_id
LIMIT :most
