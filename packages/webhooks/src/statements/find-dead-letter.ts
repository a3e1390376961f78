import type { Statement } from '@oncekey/postgres/client'
import { type DeadLetterRow, deadLetterJson, deadLetterTables } from './dead-letter-row.ts'

/** One that is dead, or was. */
export function findDeadLetter(
  schema: string,
  id: string,
): Statement<DeadLetterRow & { source: string; headers: string; body: string }> {
  return {
    name: 'find_dead_letter',
    text: `
      select ${deadLetterJson(schema)}, m.source, m.headers::text as headers,
          convert_from(m.body, 'UTF8') as body
        from ${deadLetterTables(schema)}
        where d.id = $1::bigint and d.died_at is not null`,
    values: [id],
  }
}
