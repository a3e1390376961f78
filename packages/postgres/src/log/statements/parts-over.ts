import type { Statement } from '../../sql-client.ts'

/** The partitions that have events, all of them older than that. */
export function partsOver(schema: string, retentionMs: number): Statement<{ part: string }> {
  return {
    name: 'parts_over',
    text: `select * from ${schema}.parts_over($1::bigint)`,
    values: [retentionMs],
  }
}
