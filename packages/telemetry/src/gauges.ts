import type { DeadLetterSource, EventLog, Keys } from '@oncekey/core'

/**
 * The sources of the gauges: each scrape asks each source one bounded question. Leave out those
 * that another process reports.
 */
export interface GaugeSources {
  /**
   * Everything that keeps dead letters: `log.deadLetters`, `hooks.deadLetters`,
   * `sagas.deadLetters`.
   */
  readonly deadLetters?: readonly Pick<DeadLetterSource, 'name' | 'stats'>[]
  /**
   * A log, and the consumers whose lag is reported. Publishers are consumers, too, and so is the
   * fan-out of webhooks, `webhooks`.
   */
  readonly lag?: { readonly log: Pick<EventLog, 'lag'>; readonly consumers: readonly string[] }
  /** `store.keys`: how many keys are `unknown`. With `hold` they wait for an operator. */
  readonly keys?: Pick<Keys, 'list'>
}

/** A figure that is fetched at each scrape. */
export interface GaugeQuestion {
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  /** The values of the labels, and the figure. */
  ask(): Promise<readonly (readonly [values: readonly string[], value: number])[]>
}

/**
 * Gauges of what is in the database. Waiting times are reported as the time when the wait began and
 * not as an age, because an age would look younger than it is after a missed scrape. If a question
 * fails, `oncekey_scrape_failed` is 1, and the others are still answered.
 */
export function gauges({ deadLetters = [], lag, keys }: GaugeSources): readonly GaugeQuestion[] {
  const failed = new Map<string, 0 | 1>()
  /** Asks one source, in turn, for each of its figures. */
  const asked = async <T>(
    source: string,
    names: readonly string[],
    ask: (name: string) => Promise<T>,
  ): Promise<(readonly [name: string, answer: T | undefined])[]> => {
    const answers: (readonly [string, T | undefined])[] = []
    let isFailed: 0 | 1 = 0
    for (const name of names) {
      // A source of somebody else may also throw at once.
      try {
        answers.push([name, await ask(name)])
      } catch {
        answers.push([name, undefined])
        isFailed = 1
      }
    }
    failed.set(source, isFailed)
    return answers
  }
  const stats = shared(async () => {
    const answers = deadLetters.map((source) =>
      asked(source.name, [source.name], () => source.stats()),
    )
    return (await Promise.all(answers)).flat()
  })
  const behind = shared(async () =>
    lag === undefined
      ? []
      : asked('lag', lag.consumers, async (name) => {
          const answer = await lag.log.lag(name)
          // No lag is reported for a consumer that the log does not know, because 0 would say that
          // it is not behind.
          return answer.known ? answer : undefined
        }),
  )
  const unknown = shared(async () =>
    keys === undefined ? [] : asked('keys', ['unknown'], () => unknownOf(keys)),
  )
  const since = (ageMs: number | null | undefined): number =>
    ageMs == null ? 0 : (Date.now() - ageMs) / 1_000

  const questions: GaugeQuestion[] = []
  if (deadLetters.length > 0) {
    questions.push(
      {
        name: 'oncekey_dead_letters',
        help: 'Dead letters by source; counted up to 100,000.',
        labels: ['source'],
        ask: async () => figures(await stats(), ({ depth }) => depth),
      },
      {
        name: 'oncekey_dead_letters_oldest_timestamp_seconds',
        help: 'When the oldest dead letter died; 0 if there is none.',
        labels: ['source'],
        ask: async () => figures(await stats(), ({ oldestAgeMs }) => since(oldestAgeMs)),
      },
    )
  }
  if (lag !== undefined) {
    questions.push(
      {
        name: 'oncekey_consumer_lag_events',
        help: 'Events that a consumer has not passed yet; counted up to 10,000.',
        labels: ['consumer'],
        ask: async () => figures(await behind(), ({ events }) => events),
      },
      {
        name: 'oncekey_consumer_oldest_timestamp_seconds',
        help: 'When the oldest event that a consumer has not passed began to wait; 0 if there is none.',
        labels: ['consumer'],
        ask: async () => figures(await behind(), ({ oldestMs }) => since(oldestMs)),
      },
    )
  }
  if (keys !== undefined) {
    questions.push({
      name: 'oncekey_keys_unknown',
      help: 'Keys whose outcome is unknown, whatever whenUnknown is; counted up to 1,000.',
      labels: [],
      async ask() {
        const [[, count] = []] = await unknown()
        // A gauge without labels always has a value; NaN stands for an unknown one.
        return [[[], count ?? Number.NaN]]
      },
    })
  }
  if (questions.length > 0) {
    questions.push({
      name: 'oncekey_scrape_failed',
      help: '1 if the last question to this source failed.',
      labels: ['source'],
      async ask() {
        await Promise.all([stats(), behind(), unknown()])
        return [...failed].map(([source, value]) => [[source], value])
      },
    })
  }
  return questions
}

/** Shares one answer among the gauges of a scrape. */
function shared<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined
  return () => {
    if (answer === undefined) {
      answer = ask()
      setImmediate(() => {
        answer = undefined
      })
    }
    return answer
  }
}

function figures<T>(
  answers: readonly (readonly [name: string, answer: T | undefined])[],
  figure: (answer: T) => number,
): readonly (readonly [readonly string[], number])[] {
  return answers.flatMap(([name, answer]) =>
    answer === undefined ? [] : [[[name], figure(answer)] as const],
  )
}

/**
 * Counts the unknown keys. A page may have fewer than there are, and none, if it looked at attempts
 * that are under way; then the next one is asked for.
 */
async function unknownOf(keys: Pick<Keys, 'list'>): Promise<number> {
  let count = 0
  let after: string | undefined
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page = await keys.list(
      { state: 'unknown' },
      { limit: MOST_KEYS - count, ...(after !== undefined && { after }) },
    )
    count += page.items.length
    after = page.next
    if (after === undefined || count >= MOST_KEYS) return count
  }
  if (count > 0) return count
  throw new Error(
    `No key among the first ${MOST_PAGES} pages of attempts is unknown; there are more.`,
  )
}

const MOST_KEYS = 1_000
const MOST_PAGES = 10
