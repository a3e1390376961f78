import {
  type ActedBy,
  actedBy,
  type Carried,
  checkedPace,
  checkedRequestId,
  checkSameStart,
  OncekeyError,
  type Redrives,
} from '@oncekey/core'
import type { Statement } from '../../sql/sql-client.ts'
import { carryPortion } from './carry-portion.ts'
import type { RedriveKind } from './redrive-kind.ts'
import { redriveRecords } from './redrive-records.ts'
import { findStarted, putOffRedrive, runningRedrives, startRedrive } from './redrive-statements.ts'

/**
 * The redrives of one source. `kinds` are the kinds it has; the first one is that of its dead
 * letters.
 */
export function redrivesOf(
  ask: <Row>(statement: Statement<Row>) => Promise<Row[]>,
  schema: string,
  kinds: readonly [RedriveKind, ...RedriveKind[]],
  carried: (redriven: number) => void = () => {},
): Redrives {
  const [ofLetters] = kinds
  const portionOf = new Map(kinds.map((each) => [each.kind, carryPortion(schema, each)] as const))
  const running = () => ask(runningRedrives(schema)(ofLetters.source, [...portionOf.keys()]))

  return {
    ...redriveRecords(ask, schema),

    async start(filter, { requestId, ...given }, by) {
      const pace = { ...checkedPace(filter, given), requestId }
      return await startRedriveOf(ask, schema, ofLetters)(filter, pace, by)
    },

    async carry(): Promise<Carried> {
      const found = await running()
      let redriven = 0
      const failures: unknown[] = []
      for (const { id, kind, filter, due_in_ms } of found) {
        if (Number(due_in_ms) > 0) continue
        const portion = portionOf.get(kind as RedriveKind['kind'])
        if (portion === undefined) continue
        try {
          const [row] = await ask(portion(id, withTimes(JSON.parse(filter))))
          redriven += Number(row?.redriven ?? 0)
        } catch (error) {
          // A redrive whose portion always fails must not hold up the others.
          failures.push(error)
          const isPutOff = await ask(putOffRedrive(schema)(id)).then(
            () => true,
            () => false,
          )
          // Then it is the database, and the others would fail in the same way, one after another.
          if (!isPutOff) break
        }
      }
      if (redriven > 0) carried(redriven)
      else if (failures.length > 0) throw failures[0]
      if (found.length === 0) return { redriven, nextInMs: null }
      const [next] = await running()
      return { redriven, nextInMs: next === undefined ? null : Number(next.due_in_ms) }
    },
  }
}

/** Starts a redrive of one kind. */
export function startRedriveOf(
  ask: <Row>(statement: Statement<Row>) => Promise<Row[]>,
  schema: string,
  kind: RedriveKind,
): (
  filter: unknown,
  pace: ReturnType<typeof checkedPace> & { readonly requestId?: string | undefined },
  by?: ActedBy,
) => Promise<string> {
  return async (filter, { ratePerSecond, limit, requestId: named }, given) => {
    const by = actedBy('redrives.start', given)
    const requestId = checkedRequestId(named)
    const asked = { filter, rate: ratePerSecond, most: limit, requestId, ...by }
    const [made] = await ask(startRedrive(schema, kind)(asked))
    const name = requestId ?? ''
    const [found] = made === undefined ? await ask(findStarted(schema)(kind.source, name)) : [made]
    if (found === undefined)
      throw new OncekeyError('store-unavailable', 'A redrive was neither started nor found.')
    if (found.scope !== null) {
      const mine = JSON.parse(JSON.stringify(filter))
      checkSameStart(JSON.parse(found.scope), { kind: kind.kind, filter: mine, limit })
    }
    return found.id
  }
}

/** Restores a filter from JSON, which has turned its dates into texts. */
function withTimes(filter: Record<string, unknown>): unknown {
  const times = ['deadBefore', 'deadAfter', 'since', 'until'].flatMap((name) =>
    typeof filter[name] === 'string' ? [[name, new Date(filter[name] as string)]] : [],
  )
  return { ...filter, ...Object.fromEntries(times) }
}
