import { postgresLog } from '@oncekey/postgres'
import { deadLetterSources } from '../connection/dead-letter-sources.ts'
import { storeOf } from '../connection/store.ts'
import { shownDuration } from '../output/page.ts'
import { shellWord } from '../output/shell-word.ts'
import type { Asked } from './asked.ts'
import type { CheckResult } from './finding.ts'

/** Reports keys whose outcome is unknown (lease mode). */
export async function unknownKeysResult({ call }: Asked): Promise<CheckResult> {
  const { keys } = await storeOf(call)
  let page = await keys.list({ state: 'unknown' }, { limit: 100 })
  // A page is empty, and not the last, if all the attempts that it looked at are under way.
  for (let pages = 1; pages < MOST_PAGES && page.items.length === 0 && page.next; pages += 1) {
    page = await keys.list({ state: 'unknown' }, { limit: 100, after: page.next })
  }
  const { items, next } = page
  const [oldest] = items
  if (oldest === undefined && next !== undefined) return { well: '', findings: [NOT_ALL_SEEN] }
  const count = `${items.length}${next === undefined ? '' : ' or more'}`
  const keysHave = count === '1' ? '1 key has' : `${count} keys have`
  return {
    well: 'no key has an outcome that is unknown',
    findings:
      oldest === undefined
        ? []
        : [
            {
              level: 'warning',
              what: `${keysHave} an outcome that is unknown; the first was claimed ${shownDuration(Date.now() - (oldest.attempt?.claimedAt.getTime() ?? 0))} ago.`,
              why: 'An attempt ended without an outcome on record: its process died, took too long or failed. Where `whenUnknown` is hold, retries are answered 409 outcome-unknown until somebody decides; where it is retake, the default, the next retry runs.',
              todo: 'See oncekey keys list --state unknown. Where they are held, use keys release or keys answer, or give idempotency() a `whenUnknown` that finds out what happened.',
            },
          ],
  }
}

/** Reports consumers that are behind, or that no relay runs. */
export async function lagResult(asked: Asked): Promise<CheckResult> {
  const { call, schema, quoted, query } = asked
  const consumers = await query<{ name: string; seen_ms: string; abandoned: boolean }>(
    `select name, (extract(epoch from clock_timestamp() - seen_at) * 1000)::bigint as seen_ms,
        abandoned_at is not null as abandoned
      from ${quoted}.consumers order by name limit 100`,
  )
  const log = postgresLog({ client: call.postgres(), schema })
  const findings: CheckResult['findings'][number][] = []
  for (const { name, seen_ms, abandoned } of consumers) {
    const { events, oldestMs } = await log.lag(name)
    const count = events >= 10_000 ? '10,000 or more' : String(events)
    const behind =
      events === 0 ? 'nothing' : `${count} events, the oldest ${shownDuration(oldestMs)} old`
    const unseenMs = Number(seen_ms)
    if (unseenMs > UNSEEN_MS) {
      findings.push({
        level: 'warning',
        what: `No relay has asked for consumer "${name}" for ${shownDuration(unseenMs)}; it is behind by ${behind}.`,
        why: abandoned
          ? 'It was given up: events it has not had may be gone already.'
          : 'Nothing is delivered to it. Its events are kept for seven days (abandonedAfterMs) and may then be gone.',
        todo: `Start its relay. If it was removed or renamed: oncekey consumers retire ${shellWord(name)}.`,
      })
    } else if (events > asked.mostLag || (oldestMs ?? 0) > asked.longestLagMs) {
      findings.push({
        level: 'warning',
        what: `Consumer "${name}" is behind by ${behind}.`,
        why: 'What it does comes late; the log keeps everything until it has passed.',
        todo: 'See whether its handler is slow or fails; run more relays, or raise its concurrency.',
      })
    }
  }
  const many = consumers.length === 1 ? '1 consumer keeps' : `${consumers.length} consumers keep`
  return { well: `${many} up`, findings }
}

/** Reports dead letters. */
export async function deadLettersResult(
  { call }: Asked,
  packages: ReadonlySet<string>,
): Promise<CheckResult> {
  const findings: CheckResult['findings'][number][] = []
  for (const source of await deadLetterSources(call, packages)) {
    const { depth, oldestAgeMs, groups } = await source.stats()
    if (depth === 0) continue
    const [first] = groups
    findings.push({
      level: 'warning',
      what: `${depth} dead ${depth === 1 ? 'letter' : 'letters'} of ${source.name}, the oldest ${shownDuration(oldestAgeMs)} old; most often ${first === undefined ? 'of several kinds' : `${first.origin}: ${first.sample.name}: ${first.sample.message}`}.`,
      why: 'They are not tried again by themselves.',
      todo: `See oncekey dead groups --of ${source.name}; put right what they died of, then oncekey dead redrive --of ${source.name}.`,
    })
  }
  return { well: 'there are no dead letters', findings }
}

/**
 * A consumer that no relay has asked for in this time is reported; a relay asks every few seconds.
 * Milliseconds.
 */
const UNSEEN_MS = 300_000

const MOST_PAGES = 20

const NOT_ALL_SEEN: CheckResult['findings'][number] = {
  level: 'warning',
  what: 'Whether a key has an outcome that is unknown was not found out: thousands of attempts are under way, and only the oldest were looked at.',
  why: 'Attempts that take long pile up, or leases are far longer than the attempts.',
  todo: 'See oncekey keys list --state running for the oldest ones.',
}
