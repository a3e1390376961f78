import type { ClientBase } from 'pg'

/** All records have this fingerprint; its digest has 43 characters, like a real one. */
export const RECORD_FINGERPRINT = 'json1:47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU'

/**
 * The scope and key of record `n`. There are a thousand scopes, and the keys are in random order,
 * like UUIDs.
 */
export function recordKey(
  n: number,
  md5: (text: string) => string,
): { scope: string; key: string } {
  return { scope: `account-${n % 1000}`, key: md5(String(n)) }
}

/** Adds records `from` to `to`, all of them this old and up to a day older. */
export async function fillRecords(
  client: Pick<ClientBase, 'query'>,
  { from, to, age }: { from: number; to: number; age: string },
): Promise<void> {
  // One transaction for each batch, so that the server can write in between.
  for (let first = from; first <= to; first += BATCH) {
    const last = Math.min(first + BATCH - 1, to)
    await client.query(
      `insert into oncekey.records
          (namespace, scope, key, fingerprint, status, headers, body, completed_at)
        select 'http', 'account-' || n % 1000, md5(n::text), $3, 201,
            '[["content-type","application/json; charset=utf-8"]]',
            convert_to('{"id":"' || n || '","customer":"customer-17","state":"placed"}', 'UTF8'),
            now() - $4::interval - n % 86400 * interval '1 second'
          from generate_series($1::int, $2::int) n`,
      [first, last, RECORD_FINGERPRINT, age],
    )
  }
}

const BATCH = 100_000
