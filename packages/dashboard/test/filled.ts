import type { Pool } from 'pg'

export const ENDPOINT = '0190b5a0-0000-7000-8000-0000000000ee'

/**
 * Fills the tables that pages read: records, dead letters of consumers, webhooks and sagas, events,
 * and keys of unknown outcome. Everything happened in the last day, and most of it in one second.
 */
export async function fillTables(
  pool: Pool,
  { records, letters }: { readonly records: number; readonly letters: number },
): Promise<void> {
  // Together, because each statement keeps one processor busy, for minutes if there are millions.
  await Promise.all([fillRecords(pool, records), fillLetters(pool, letters)])
  await pool.query('vacuum analyze')
}

async function fillRecords(pool: Pool, records: number): Promise<void> {
  await pool.query(
    `insert into oncekey.records (namespace, scope, key, fingerprint, status, headers, body,
        completed_at)
      select 'http', 'customer-' || g % 1000, 'key-' || g, 'json1:abc', 201,
          '[["content-type","application/json"]]', convert_to('{"id":' || g || '}', 'UTF8'),
          now() - interval '12 hours' + g * interval '1 microsecond'
        from generate_series(1, ${records}) g`,
  )
}

async function fillLetters(pool: Pool, letters: number): Promise<void> {
  await pool.query(
    `insert into oncekey.attempts (namespace, scope, key, fingerprint, number, token, until,
        claimed_at)
      select 'http', 'customer-7', 'lost-' || g, 'json1:abc', 1, gen_random_uuid()::text,
          now() - interval '1 hour', now() - interval '1 hour' + g * interval '1 microsecond'
        from generate_series(1, ${Math.ceil(letters / 100)}) g`,
  )
  await pool.query(
    `insert into oncekey.outbox (slot, id, type, source, subject, ordering_key, data, headers,
        occurred_at)
      select g % 64, ${eventId('g')}, case g % 50 when 0 then 'order.rare' else 'order.placed' end,
          '/', 'order-' || g, g::text, '{"total":1}', '{}', now()
        from generate_series(1, ${letters}) g`,
  )
  await pool.query(`insert into oncekey.consumers (name) values ('mailer'), ('printer')`)
  await pool.query(
    `insert into oncekey.deliveries (consumer, slot, seq, event_id, type, source, subject,
        ordering_key, data, headers, occurred_at, state, reason, attempts, starts, due_at, dead_at,
        error_name, error_message, fingerprint)
      select case g % 2 when 0 then 'mailer' else 'printer' end, g % 64, g, ${eventId('g')}::text,
          case g % 50 when 0 then 'order.rare' else 'order.placed' end, '/', 'order-' || g, g::text,
          '{"total":1}', '{}', now(), 'dead', 'permanent', 1, 1, now(),
          now() - interval '1 hour' + g * interval '1 microsecond', 'Error', 'no ' || g % 7,
          'kind-' || g % 7
        from generate_series(1, ${letters}) g`,
  )
  await pool.query(
    `insert into oncekey.webhook_endpoints (id, url, types, description)
      values ('${ENDPOINT}', 'https://shop.example/hooks', '{order.*}', 'the warehouse')`,
  )
  await pool.query(
    `insert into oncekey.webhook_secrets (endpoint_id, secret)
      values ('${ENDPOINT}', 'whsec_' || encode(sha256('x'), 'base64'))`,
  )
  await pool.query(
    `insert into oncekey.webhook_messages (id, type, source, subject, headers, body, occurred_at,
        created_at)
      select ${eventId('g')}, 'order.placed', '/', 'order-' || g, '{}',
          convert_to('{"type":"order.placed","data":{"total":1}}', 'UTF8'), now(), now()
        from generate_series(1, ${letters}) g`,
  )
  await pool.query(
    `insert into oncekey.webhook_deliveries (message_id, endpoint_id, state, reason, error,
        created_at, ended_at, died_at, attempts, tries)
      select ${eventId('g')}, '${ENDPOINT}', 'dead', 'exhausted', 'status 503', now(), now(),
          now() - interval '1 hour' + g * interval '1 microsecond', 1, 1
        from generate_series(1, ${letters}) g`,
  )
  await pool.query(
    `insert into oncekey.saga_runs (id, saga, version, definition, plan, input, fingerprint, state,
        failed_step, stuck, stuck_at, started_at, ended_at)
      select 'order-' || g, 'order', 1, 'd', '[]', '{}', 'f',
          case g % 2 when 0 then 'stuck' else 'completed' end, null,
          json_build_object('step', 'ship', 'direction', 'run', 'reason', 'permanent',
            'fingerprint', case when g > ${letters - 2} then 'kind-last' else 'kind-' || g % 7 end,
            'error', '{"name":"Error","message":"no"}'::json),
          case g % 2 when 0 then now() - interval '1 hour' + g * interval '1 microsecond' end,
          now() - interval '2 hours' + g * interval '1 microsecond',
          case g % 2 when 1 then now() end
        from generate_series(1, ${letters}) g`,
  )
  await pool.query(
    `insert into oncekey.operations (actor, act, target, note, detail)
      select 'maria', 'keys.release', '["key","http","customer-7","key-' || g || '"]', 'x', '{}'
        from generate_series(1, ${letters}) g`,
  )
}

/** UUIDs of version 7 in the order of their numbers, as SQL. */
function eventId(number: string): string {
  return `('0190b5a0-0000-7000-8000-' || lpad(to_hex(${number}), 12, '0'))::uuid`
}
