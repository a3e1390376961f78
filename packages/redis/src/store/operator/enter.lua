-- An act on a key and its entry in the audit are one script, so that both exist or neither. The
-- entry comes first, because a full server refuses that write.
redis.call('XADD', KEYS[3], '*', 'act', ARGV[1], 'actor', ARGV[2], 'target', ARGV[3],
  'note', ARGV[4], 'detail', ARGV[5], 'fingerprint', fingerprint)
