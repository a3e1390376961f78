/** The time by the database's clock, as an SQL expression: whole milliseconds since 1970. */
export const DATABASE_MS = '(extract(epoch from clock_timestamp()) * 1000)::bigint'
