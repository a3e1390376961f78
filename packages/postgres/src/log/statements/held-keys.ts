import type { Statement } from '../../sql-client.ts'

/** The ordering keys that have deliveries retrying in these slots. */
export function heldKeys(
  schema: string,
): (consumer: string, slots: readonly number[]) => Statement<HeldKeyRow> {
  const text = `
    select slot::text, ordering_key, count(*)::text as count
      from ${schema}.deliveries
      where consumer = $1::text and slot = any($2::smallint[]) and state = 'retrying'
      group by slot, ordering_key`
  return (consumer, slots) => ({
    name: 'held_keys',
    text,
    values: [consumer, `{${slots.join(',')}}`],
  })
}

export interface HeldKeyRow {
  readonly slot: string
  readonly ordering_key: string
  readonly count: string
}
