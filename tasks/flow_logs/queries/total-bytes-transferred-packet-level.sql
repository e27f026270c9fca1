-- Bytes between pairs of original addresses, both directions as one.
SELECT LEAST(pkt_srcaddr, pkt_dstaddr) AS one, GREATEST(pkt_srcaddr, pkt_dstaddr) AS other,
  SUM(bytes) AS bytes, SUM(packets) AS packets
FROM flow_logs
WHERE "start" < :until AND "end" >= :since AND pkt_srcaddr IS NOT NULL
GROUP BY LEAST(pkt_srcaddr, pkt_dstaddr), GREATEST(pkt_srcaddr, pkt_dstaddr)
ORDER BY bytes DESC, one, other
LIMIT :most
