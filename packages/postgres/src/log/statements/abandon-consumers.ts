import type { Statement } from '../../sql-client.ts'

/** Consumers that have been missing for so long hold nothing back any more. */
export function abandonConsumers(schema: string, abandonedMs: number): Statement<{ name: string }> {
  return {
    name: 'abandon_consumers',
    text: `
      update ${schema}.consumers set abandoned_at = now()
        where abandoned_at is null and seen_at < now() - $1::bigint * interval '1 millisecond'
        returning name`,
    values: [abandonedMs],
  }
}
