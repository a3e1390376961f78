import type { DeadLetterSource, EventLog, Keys } from '@oncekey/core'

/** What is asked for at each scrape: one bounded question for each. Leave out what another process tells. */
export interface GaugeSources {
  /** Whatever keeps dead letters: `log.deadLetters`, `hooks.deadLetters`, `sagaDeadLetters(…)`. */
  readonly deadLetters?: readonly DeadLetterSource[]
  /** A log, and which consumers of it have to keep up. */
  readonly lag?: { readonly log: Pick<EventLog, 'lag'>; readonly consumers: readonly string[] }
  /** `store.keys`: how many keys are `unknown` and wait for an operator. */
  readonly keys?: Pick<Keys, 'list'>
}

/** A figure that is asked for when somebody scrapes. */
export interface GaugeQuestion {
  readonly name: string
  readonly help: string
  readonly labels: readonly string[]
  /** The values of the labels, and the figure. */
  ask(): Promise<readonly (readonly [values: readonly string[], value: number])[]>
}

/**
 * What the database has to say. What waits is given by the time it has waited since, and not by its
 * age: a scrape that does not come cannot make it look younger. Where a question fails,
 * `oncekey_scrape_failed` is 1, and the others are answered all the same.
 */
export function gauges({ deadLetters = [], lag, keys }: GaugeSources): readonly GaugeQuestion[] {
  const failed = new Map<string, 0 | 1>()
  const asked = <T>(source: string, ask: () => Promise<T>): Promise<T | undefined> =>
    ask().then(
      (answer) => {
        failed.set(source, 0)
        return answer
      },
      () => {
        failed.set(source, 1)
        return undefined
      },
    )
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
        const told = await asked('lag', async () => lag?.log.lag(name))
        // Of a consumer that the log does not know there is nothing to tell: 0 would be a figure.
        return [name, told?.known ? told : undefined] as const
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
        help: 'Dead letters, by what they are of; counted up to 100,000.',
        labels: ['source'],
        ask: async () => figures(await stats(), ({ depth }) => depth),
      },
      {
        name: 'oncekey_dead_letters_oldest_timestamp_seconds',
        help: 'Since when the oldest dead letter has been dead; 0 where there is none.',
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
        help: 'Since when the oldest event that a consumer has not passed has waited; 0 where none does.',
        labels: ['consumer'],
        ask: async () => figures(await behind(), ({ oldestMs }) => since(oldestMs)),
      },
    )
  }
  if (keys !== undefined) {
    questions.push({
      name: 'oncekey_keys_unknown',
      help: 'Keys whose outcome is unknown and that wait for an operator; counted up to 1,000.',
      labels: [],
      async ask() {
        const page = await unknown()
        // Without labels a gauge is always told; not a number is what is not known.
        return [[[], page?.items.length ?? Number.NaN]]
      },
    })
  }
  if (questions.length > 0) {
    questions.push({
      name: 'oncekey_scrape_failed',
      help: '1 where the last question about this could not be answered.',
      labels: ['source'],
      async ask() {
        await Promise.all([stats(), behind(), unknown()])
        return [...failed].map(([source, value]) => [[source], value])
      },
    })
  }
  return questions
}

/** The gauges of one scrape share an answer. */
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
