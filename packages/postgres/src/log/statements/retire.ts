import type { Statement } from '../../sql-client.ts'

/** Forgets a consumer, and with it its cursors. */
export function retire(schema: string): (consumer: string) => Statement {
  const text = `delete from ${schema}.consumers where name = $1::text`
  return (consumer) => ({ name: 'retire', text, values: [consumer] })
}
