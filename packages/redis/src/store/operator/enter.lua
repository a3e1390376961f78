-- Writes the audit entry of an act on a key. The act and its entry are one script, so that either
-- both exist or neither. The entry is written first, because a full server refuses that write.
redis.call('XADD', KEYS[3], '*', 'act', ARGV[1], 'actor', ARGV[2], 'target', ARGV[3],
  'note', ARGV[4], 'detail', ARGV[5], 'fingerprint', fingerprint)
