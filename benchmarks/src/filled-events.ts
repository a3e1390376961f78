import type { ClientBase } from 'pg'

/** The data of job or event `n` of the outbox benches: some 330 bytes. */
export function jobData(n: number): string {
  return `{"n":${n},${REST}`
}

const REST = JSON.stringify({
  order: '0197a1b2-7f00-7c00-9e00-3f2a1b4c5d6e',
  customer: 'customer-17',
  currency: 'EUR',
  lines: [
    { sku: 'kettle-steel-17', count: 1, cents: 4_900 },
    { sku: 'teapot-blue-04', count: 2, cents: 2_350 },
    { sku: 'cup-white-11', count: 6, cents: 590 },
  ],
  note: 'Leave it with the neighbours, please.',
}).slice(1)

/** `jobData` as an SQL expression, in which `n` is a column or variable. */
export const JOB_DATA = `('{"n":' || n || ',${REST}')`

/** Adds events to the log, each with its own key and transaction, as requests would. */
export async function fillEvents(
  client: Pick<ClientBase, 'query'>,
  { from, count }: { from: number; count: number },
): Promise<void> {
  await client.query('set synchronous_commit = off')
  await client.query(
    `do $$ begin
       for n in ${from}..${from + count - 1} loop
         insert into oncekey.outbox
             (slot, id, type, source, subject, ordering_key, data, headers, occurred_at)
           values (get_byte(sha256(convert_to(n::text, 'UTF8')), 0) % 64, gen_random_uuid(), 'order.placed',
             '/orders', n, n, ${JOB_DATA}::json,
             '{"traceparent":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}',
             clock_timestamp());
         commit;
       end loop;
     end $$`,
  )
  await client.query('analyze oncekey.outbox')
  await client.query('checkpoint')
}
