import type { KeyName, StoredResponse } from '@oncekey/core'
import type { Statement } from '../../sql/sql-client.ts'

/** A row of a list, or of a single key. Times are in microseconds since 1970. */
export interface KeyRow {
  readonly namespace: string
  readonly scope: string
  readonly key: string
  readonly state: 'running' | 'unknown' | 'finished' | 'result-gone'
  readonly fingerprint: string | null
  readonly number: string | null
  readonly claimed_at: string | null
  readonly lease_until: string | null
  readonly status: string | null
  readonly completed_at: string | null
}

const micros = (time: string) => `(extract(epoch from ${time}) * 1000000)::bigint::text`

const ofAttempt = `a.namespace, a.scope, a.key,
          case when coalesce(l.until, a.until) > clock_timestamp() then 'running' else 'unknown' end
            as state,
          a.fingerprint, a.number::text as number, ${micros('a.claimed_at')} as claimed_at,
          ${micros('coalesce(l.until, a.until)')} as lease_until,
          null::text as status, null::text as completed_at`

const ofRecord = `r.namespace, r.scope, r.key,
          case when r.body is null then 'result-gone' else 'finished' end as state,
          r.fingerprint, null::text as number, null::text as claimed_at, null::text as lease_until,
          r.status::text as status, ${micros('r.completed_at')} as completed_at`

/**
 * Keys of one scope in the order of their bytes, from behind `after`; `below` is where a prefix
 * ends.
 */
export function keysByName(
  schema: string,
): (asked: {
  readonly namespace: string
  readonly scope: string
  readonly from: string
  readonly below: string | null
  readonly after: string | null
  readonly limit: number
}) => Statement<KeyRow> {
  return (asked) => {
    const within = (table: string) => `${table}.namespace = $1::text and ${table}.scope = $2::text
            and ${table}.key >= $3::text and ($4::text is null or ${table}.key < $4::text)
            and ($5::text is null or ${table}.key > $5::text)
          order by ${table}.key limit $6::integer`
    return {
      name: 'keys_by_name',
      text: `
      select k.* from (
        (select ${ofAttempt}
          from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
          where ${within('a')})
        union all
        (select ${ofRecord} from ${schema}.records r where ${within('r')})
      ) k order by k.key limit $6::integer`,
      values: [asked.namespace, asked.scope, asked.from, asked.below, asked.after, asked.limit],
      cancellable: true,
    }
  }
}

/** Where a page in the order of time ended: the time in microseconds, and the key. */
export type TimeCursor = readonly [at: string, namespace: string, scope: string, key: string]

/** Attempts of lease mode in the order of their first claim, the oldest first. */
export function attemptsByTime(
  schema: string,
): (after: TimeCursor | undefined, limit: number) => Statement<KeyRow> {
  return (after, limit) => ({
    name: 'attempts_by_time',
    text: `
      select ${ofAttempt}
        from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
        where $1::bigint is null or (a.claimed_at >= ${timeOf('$1')}
          and (a.claimed_at, a.namespace, a.scope, a.key)
            > (${timeOf('$1')}, $2::text, $3::text, $4::text))
        order by a.claimed_at, a.namespace, a.scope, a.key limit $5::integer`,
    values: [...cursorValues(after), limit],
    cancellable: true,
  })
}

/** Records in the order of their completion, the newest first, of one state or of both. */
export function recordsByTime(
  schema: string,
): (
  state: 'finished' | 'result-gone' | undefined,
  after: TimeCursor | undefined,
  limit: number,
) => Statement<KeyRow> {
  return (state, after, limit) => {
    // Two parts, so that each goes through the index of its kind.
    const part = (condition: string) => `
        (select ${ofRecord}, r.completed_at as at from ${schema}.records r
          where ${condition} and ($1::bigint is null or (r.completed_at <= ${timeOf('$1')}
            and (r.completed_at, r.namespace, r.scope, r.key)
              < (${timeOf('$1')}, $2::text, $3::text, $4::text)))
          order by r.completed_at desc, r.namespace desc, r.scope desc, r.key desc
          limit $5::integer)`
    const parts = {
      finished: [part('r.body is not null')],
      'result-gone': [part('r.body is null')],
      both: [part('r.body is not null'), part('r.body is null')],
    }[state ?? 'both']
    return {
      name: `records_by_time_${state ?? 'both'}`,
      text: `
      select k.* from (${parts.join('\n        union all')}
      ) k order by k.at desc, k.namespace desc, k.scope desc, k.key desc limit $5::integer`,
      values: [...cursorValues(after), limit],
      cancellable: true,
    }
  }
}

const timeOf = (parameter: string) =>
  `(timestamptz 'epoch' + ${parameter}::bigint * interval '1 microsecond')`

const cursorValues = (cursor: TimeCursor | undefined) => cursor ?? [null, null, null, null]

/** One key with everything known of it. `body` is hexadecimal, and null unless it was requested. */
export interface KeyDetailRow extends KeyRow {
  readonly headers: string | null
  readonly body: string | null
  readonly body_bytes: string | null
  readonly seal: string | null
}

/**
 * One key in its present state; no row if nothing is known of it. An attempt in transaction mode
 * has no row and is recognised by the lock of its transaction. The lock is looked up in the list of
 * held locks, not tried: a claim that comes at that moment would find it taken.
 */
export function findKey(
  schema: string,
): (name: KeyName, lock: string, withBody: boolean) => Statement<KeyDetailRow> {
  return ({ namespace, scope, key }, lock, withBody) => {
    const isLocked = `exists (select from pg_locks k where k.locktype = 'advisory' and k.granted
            and k.mode = 'ExclusiveLock' and k.objsubid = 1
            and k.database = (select d.oid from pg_database d where d.datname = current_database())
            and k.classid = (($4::bigint >> 32) & 4294967295)::oid
            and k.objid = ($4::bigint & 4294967295)::oid)`
    return {
      name: 'find_key',
      text: `
      with attempt as materialized (
        select ${ofAttempt}
          from ${schema}.attempts a left join ${schema}.leases l on l.token = a.token
          where a.namespace = $1::text and a.scope = $2::text and a.key = $3::text
      ), record as materialized (
        select ${ofRecord}, r.headers, case when $5::boolean then encode(r.body, 'hex') end as body,
            octet_length(r.body)::text as body_bytes, r.seal
          from ${schema}.records r
          where r.namespace = $1::text and r.scope = $2::text and r.key = $3::text
      )
      select record.* from record
      union all
      select attempt.namespace, attempt.scope, attempt.key,
          case when attempt.state = 'unknown' and ${isLocked} then 'running' else attempt.state end,
          attempt.fingerprint, attempt.number, attempt.claimed_at, attempt.lease_until,
          attempt.status, attempt.completed_at, null, null, null, null
        from attempt where not exists (select from record)
      union all
      select $1::text, $2::text, $3::text, 'running', null, null, null, null, null, null, null, null,
          null, null
        where not exists (select from record) and not exists (select from attempt) and ${isLocked}`,
      values: [namespace, scope, key, lock, withBody ? 'true' : 'false'],
      cancellable: true,
    }
  }
}

/** A key with the actor and the note, in the form of the parameters of the schema's functions. */
export interface ActOnKey extends KeyName {
  readonly lock: string
  readonly actor: string
  readonly act: string
  readonly target: string
  readonly note: string
}

/** Frees a key whose outcome is unknown or, if a response is given, finishes it. */
export function endUnknownKey(
  schema: string,
): (on: ActOnKey, response: StoredResponse | undefined) => Statement<{ outcome: string }> {
  return (on, response) => ({
    name: 'end_unknown_key',
    text: `select ${schema}.end_unknown_key_3($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
      as outcome`,
    values: [
      on.lock,
      on.namespace,
      on.scope,
      on.key,
      on.actor,
      on.act,
      on.target,
      on.note,
      response?.status ?? null,
      response === undefined || response.body === null ? null : JSON.stringify(response.headers),
      response?.body ?? null,
      response?.seal ?? null,
    ],
  })
}

export function forgetKey(
  schema: string,
): (on: ActOnKey, fingerprint: string) => Statement<{ outcome: string }> {
  return (on, fingerprint) => ({
    name: 'forget_key_3',
    text: `select ${schema}.forget_key_3($1, $2, $3, $4, $5, $6, $7, $8, $9) as outcome`,
    values: [
      on.lock,
      on.namespace,
      on.scope,
      on.key,
      fingerprint,
      on.actor,
      on.act,
      on.target,
      on.note,
    ],
  })
}

/**
 * Sets the time of a key's attempt right that a clock put back has moved away, and ends an attempt
 * that was given back; returns whether there was one.
 */
export function restartLease(schema: string): (key: KeyName) => Statement<{ restarted: string }> {
  const text = `select ${schema}.restart_lease_2($1, $2, $3)::text as restarted`

  return ({ namespace, scope, key }) => ({
    name: 'restart_lease_2',
    text,
    values: [namespace, scope, key],
  })
}
