-- Traffic to and from ports by which machines are administered: SSH, Telnet, RPC, SMB, RDP, WinRM, VNC.
SELECT srcaddr, srcport, dstaddr, dstport, action, SUM(packets) AS packets, SUM(bytes) AS bytes, COUNT(*) AS flows
FROM flow_logs
WHERE "start" < :until AND "end" >= :since
  AND (dstport IN (22, 23, 135, 139, 445, 3389, 5985, 5986, 5900) OR srcport IN (22, 23, 135, 139, 445, 3389, 5985, 5986, 5900))
GROUP BY srcaddr, srcport, dstaddr, dstport, action
ORDER BY bytes DESC, srcaddr, srcport, dstaddr, dstport
LIMIT :most
