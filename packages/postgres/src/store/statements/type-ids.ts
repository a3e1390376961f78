/** The ids that PostgreSQL gives its own types, the same on every server. */
export const typeIds = {
  boolean: 16,
  bytea: 17,
  bigint: 20,
  integer: 23,
  text: 25,
  json: 114,
} as const
