import {
  actedBy,
  boundedPage,
  checkedFilter,
  checkedRetryingFilter,
  type DeadLetter,
  type DeadLetterDetail,
  type DeadLetterSource,
  type Resolution,
  resolvedAfter,
  resolvedSoFar,
  rowsToRead,
} from '@oncekey/core'
import { redrivesOf, type Statement } from '@oncekey/postgres/client'
import { errorFingerprint } from '../run/error-fingerprint.ts'
import type { RunsState } from '../state/runner-state.ts'
import { sagaStoreError } from '../state/store-error.ts'
import type { DeadRunGroupJson, DeadRunStatsJson } from '../statements/dead-run-stats.ts'
import type { DeadRunJson } from '../statements/dead-runs.ts'
import { redriveOfRuns } from '../statements/redrive-kind.ts'
import type { LastFailureJson, RetryingRunRow } from '../statements/retrying-runs.ts'
import type { WholeRunJson } from '../statements/runs.ts'

/** Runs that are stuck or could not be undone, in the form of dead letters. */
export function sagaDeadLetters<Tx>(
  runner: RunsState<Tx>,
  resumed: () => void = () => {},
): DeadLetterSource {
  const { client, statements, acquireTimeoutMs: timeoutMs, schema } = runner

  return {
    name: 'sagas',

    redrives: redrivesOf(ask, runner.quotedSchema, [redriveOfRuns(runner.quotedSchema)], resumed),

    async list(filter, { limit, after }) {
      const from = after === undefined ? undefined : pageFrom(after)
      const rows = await ask(statements.listDeadRuns(checkedFilter('list', filter), limit, from))
      const runs = rows.flatMap(({ run }): DeadRunJson[] => (run === null ? [] : [JSON.parse(run)]))
      const last = runs.length === limit ? runs.at(-1) : undefined
      return {
        items: runs.map(deadLetterOf),
        next: last ? `${last.stuck_at} ${last.id}` : (rows[0]?.looked_to ?? undefined),
      }
    },

    async listRetrying(filter, { limit, after }) {
      checkedRetryingFilter('listRetrying', filter)
      const read = rowsToRead(limit)
      const from = after === undefined ? undefined : pageFrom(after)
      const place = from && ([String(from.stuck_at), from.id] as const)
      const rows = await ask(statements.listRetryingRuns(filter, read, place))
      const isMeant = (row: (typeof rows)[number]): boolean => row.is_meant === 'true'
      const { shown, last } = boundedPage(rows, { read, limit, isMeant })
      return {
        items: shown.map(retryingOf),
        next: last && `${last.started_exact} ${JSON.parse(last.run).id}`,
      }
    },

    async get(id) {
      const [found] = await ask(statements.findDeadRun(id))
      const [row] = await ask(statements.readRun(id))
      if (found === undefined || row === undefined) return undefined
      return detailOf(JSON.parse(found.run), JSON.parse(row.run))
    },

    async count(filter) {
      const [row] = await ask(statements.countDeadRuns(checkedFilter('count', filter)))
      return Number(row?.count)
    },

    async redrive(filter, { limit, ...given }) {
      const by = actedBy('redrive', given)
      checkedFilter('redrive', filter)
      const rows = await ask(statements.redriveDeadRuns(filter, limit, by))
      const redriven = rows
        .filter(({ state }) => state === 'running' || state === 'compensating')
        .map(({ id }) => id)
      const touched = new Set(redriven)
      const others = (filter.ids ?? []).filter((id) => !touched.has(id))
      return { redriven, refused: await resolvedAfter(redriven, others, statesOf) }
    },

    async discard(ids, note, given) {
      const by = actedBy('discard', given)
      return await resolvedSoFar(ids, async (id) => {
        const [row] = await ask(statements.discardRun(id, note, by))
        return row?.discarded === 'true' ? [{ id, outcome: 'discarded' }] : await statesOf([id])
      })
    },

    async stats() {
      const [[stats], groups] = await Promise.all([
        ask(statements.deadRunStats()),
        ask(statements.deadRunGroups()),
      ])
      const { depth, oldest_age_ms, arrived, drained }: DeadRunStatsJson = JSON.parse(
        stats?.stats ?? '{}',
      )
      return {
        depth,
        oldestAgeMs: oldest_age_ms,
        arrivedPerMinute: arrived / 60,
        drainedPerMinute: drained / 60,
        groups: groups.map((row) => {
          const group: DeadRunGroupJson = JSON.parse(row.dead_group)
          return {
            origin: group.saga,
            fingerprint: group.fingerprint,
            count: group.count,
            oldestAt: new Date(group.oldest_at),
            newestAt: new Date(group.newest_at),
            sample: { id: group.sample, name: group.name, message: group.message },
          }
        }),
      }
    },
  }

  /** The current outcome for each id; a run that is still dead is `not-matched`. */
  async function statesOf(ids: readonly string[]): Promise<Resolution[]> {
    const found = await Promise.all(ids.map((id) => ask(statements.findRun(id))))
    return ids.map((id, at): Resolution => {
      const row = found[at]?.[0]
      if (row === undefined) return { id, outcome: 'unknown' }
      switch (JSON.parse(row.run).state) {
        case 'stuck':
        case 'compensation-failed':
          return { id, outcome: 'not-matched' }
        case 'running':
        case 'compensating':
          return { id, outcome: 'retrying' }
        case 'settled':
          return { id, outcome: 'already-discarded' }
        default:
          return { id, outcome: 'already-done' }
      }
    })
  }

  async function ask<Row>(statement: Statement<Row>): Promise<Row[]> {
    return await client.query(statement, { timeoutMs }).catch((error) => {
      throw sagaStoreError(error, schema)
    })
  }
}

function pageFrom(after: string): Pick<DeadRunJson, 'stuck_at' | 'id'> {
  const space = after.indexOf(' ')
  return { stuck_at: Number(after.slice(0, space)), id: after.slice(space + 1) }
}

function deadLetterOf(run: DeadRunJson): DeadLetter {
  const { stuck } = run
  const isDead = run.state === 'stuck' || run.state === 'compensation-failed'
  const isOpen = run.state === 'running' || run.state === 'compensating'
  const failedAt = run.first_failed_at ?? run.stuck_at ?? run.started_at
  return {
    id: run.id,
    origin: run.saga,
    state: isDead ? 'dead' : isOpen ? 'retrying' : 'resolved',
    eventId: run.id,
    type: run.state,
    subject: stuck?.step ?? null,
    reason: stuck?.reason ?? null,
    error:
      stuck === null
        ? null
        : { ...stuck.error, code: stuck.error.code ?? null, fingerprint: stuck.fingerprint },
    attempts: stuck?.attempts ?? 0,
    redrives: run.resumes,
    occurredAt: dateOf(run.started_at),
    firstFailedAt: dateOf(failedAt),
    deadAt: run.stuck_at === null ? null : dateOf(run.stuck_at),
    dueAt: null,
    resolution: run.state === 'settled' ? 'discarded' : isDead || isOpen ? null : 'redriven',
    note: run.note,
  }
}

/** A run that is being retried, described by the last failure of one of its steps. */
function retryingOf(row: RetryingRunRow): DeadLetter {
  const run: DeadRunJson = JSON.parse(row.run)
  const { step, attempt, error }: LastFailureJson = JSON.parse(row.failure ?? '')
  const { name, message, code } = error
  return {
    ...deadLetterOf(run),
    subject: step,
    reason: null,
    error: { name, message, code: code ?? null, fingerprint: errorFingerprint({ ...error, code }) },
    attempts: attempt,
    dueAt: row.due_at === null ? null : new Date(Number(row.due_at)),
  }
}

function detailOf(run: DeadRunJson, whole: WholeRunJson): DeadLetterDetail {
  return {
    ...deadLetterOf(run),
    source: `/saga/${run.saga}`,
    data: JSON.stringify(whole.input),
    headers: {},
    history: whole.failures.map(({ attempt, failed_at, duration_ms, error }) => ({
      number: attempt,
      startedAt: new Date(failed_at - duration_ms),
      durationMs: duration_ms,
      error: {
        name: error.name,
        message: error.message,
        code: error.code ?? null,
        stack: error.stack ?? null,
        fingerprint: errorFingerprint({ ...error, code: error.code }),
      },
    })),
  }
}

const dateOf = (microseconds: number): Date => new Date(microseconds / 1_000)
