/** An attempt, as columns of the JSON record. */
export const TRIED = `started_at bigint, duration_ms bigint, name text, message text, code text,
      stack text, fingerprint text`
