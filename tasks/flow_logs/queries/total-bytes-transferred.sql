-- Bytes between pairs of addresses, both directions as one.
SELECT LEAST(srcaddr, dstaddr) AS one, GREATEST(srcaddr, dstaddr) AS other,
  SUM(bytes) AS bytes, SUM(packets) AS packets
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND srcaddr IS NOT NULL
GROUP BY LEAST(srcaddr, dstaddr), GREATEST(srcaddr, dstaddr)
ORDER BY bytes DESC, one, other
LIMIT :most
