/**
 * SQL that ends a transaction in a way that the guard of a handler's transaction leaves to the
 * server: in a text with an SQL body it looks at the first statement only.
 */
export function unseen(text: string): string {
  return `select 1; ${text}; create or replace function pg_temp.mine() returns integer begin atomic select 1; end`
}
