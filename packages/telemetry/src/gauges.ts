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
  // A source of somebody else may also throw at once.
  const asked = async <T>(source: string, ask: () => Promise<T>): Promise<T | undefined> => {
    try {
      const answer = await ask()
      failed.set(source, 0)
      return answer
    } catch {
      failed.set(source, 1)
      return undefined
    }
  }
  const stats = shared(() =>
    Promise.all(
      deadLetters.map(
        async (source) => [source.name, await asked(source.name, () => source.stats())] as const,
      ),
    ),
  )
  const behind = shared(() =>
    Promise.all(
      (lag?.consumers ?? []).map(async (name) => {
        const answer = await asked('lag', async () => lag?.log.lag(name))
        // No lag is reported for a consumer that the log does not know, because 0 would say that it
        // is not behind.
        return [name, answer?.known ? answer : undefined] as const
      }),
    ),
  )
  const unknown = shared(async () =>
    keys === undefined
      ? undefined
      : asked('keys', () => keys.list({ state: 'unknown' }, { limit: MOST_KEYS })),
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
        const page = await unknown()
        // A gauge without labels always has a value; NaN stands for an unknown one.
        return [[[], page?.items.length ?? Number.NaN]]
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

const MOST_KEYS = 1_000
