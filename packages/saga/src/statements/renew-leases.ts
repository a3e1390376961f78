import type { Statement } from '@oncekey/postgres/client'

/**
 * Lengthens the leases of all the runs that a process drives, in one statement, and returns those
 * that it still has, with the state each is in. A run whose row is locked is in a step's
 * transaction, which holds it anyway.
 */
export function renewLeasesStatement(
  schema: string,
): (held: readonly HeldJson[], leaseMs: number) => Statement<HeldState> {
  const text = `
    with held as materialized (
      select h.id, h.epoch from json_to_recordset($1::json) as h (id text, epoch bigint)
    ), free as materialized (
      select w.run_id from ${schema}.saga_work w
        join held on held.id = w.run_id and held.epoch = w.epoch
        for no key update of w skip locked
    ), renewed as (
      update ${schema}.saga_work w
        set due_at = clock_timestamp() + $2::integer * interval '1 millisecond',
          due_in_ms = $2::integer
        from free where w.run_id = free.run_id
    )
    ${stillHeld(schema)}`

  return (held, leaseMs) => ({
    name: 'saga_renew_leases',
    text,
    values: [JSON.stringify(held), leaseMs],
  })
}

/** Looks at the runs that a process drives, and changes nothing: were any of them cancelled? */
export function watchRunsStatement(
  schema: string,
): (held: readonly HeldJson[]) => Statement<HeldState> {
  const text = `
    with held as materialized (
      select h.id, h.epoch from json_to_recordset($1::json) as h (id text, epoch bigint)
    )
    ${stillHeld(schema)}`

  return (held) => ({
    name: 'saga_watch_runs',
    text,
    values: [JSON.stringify(held)],
    cancellable: true,
  })
}

const stillHeld = (schema: string) => `select w.run_id as id, r.state from ${schema}.saga_work w
      join held on held.id = w.run_id and held.epoch = w.epoch
      join ${schema}.saga_runs r on r.id = w.run_id`

export interface HeldJson {
  readonly id: string
  readonly epoch: number
}

export interface HeldState {
  readonly id: string
  readonly state: string
}
