import { readFile } from 'node:fs/promises'

/** The SQL of docs/failover.md that sets the sequences of a copy, under this heading. */
export async function sequencesOf(heading: string): Promise<string> {
  const page = await readFile(new URL('../../../../docs/failover.md', import.meta.url), 'utf8')
  const [, section = ''] = page.split(`### ${heading}\n`)
  const [, sql = ''] = /```sql\n(.*?)```/s.exec(section) ?? []
  return sql
}
