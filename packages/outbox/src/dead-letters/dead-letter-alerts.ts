import {
  type AlertMessage,
  callLater,
  type DeadLetterSource,
  type DeadLetterStats,
  type EventLog,
  endsWithin,
  type Later,
  messageOf,
  OptionsError,
  tell,
  warnOnce,
} from '@oncekey/core'

export type Alert = AlertMessage

export interface AlertOptions {
  /** The dead letters to watch: `log.deadLetters`, or those of webhooks or sagas. */
  readonly source: DeadLetterSource
  /** Consumers of a log whose lag is watched as well. @default none */
  readonly lag?: { readonly log: Pick<EventLog, 'lag'>; readonly consumers: readonly string[] }
  /** Alerts above this many dead letters. @default 100 */
  readonly maxDepth?: number
  /** Alerts if a dead letter is older than this. Milliseconds. @default 86_400_000, a day */
  readonly maxAgeMs?: number
  /**
   * Alerts if a consumer's oldest event has waited longer than this. Milliseconds. @default 60_000
   */
  readonly maxLagMs?: number
  /**
   * Alerts if a transaction that writes has been open for longer than this, anywhere in the
   * database cluster. Milliseconds. @default 600_000
   */
  readonly maxHorizonMs?: number
  /** Whether to alert if a dead letter has a kind of error that none had before. @default true */
  readonly newErrors?: boolean
  /**
   * How long to wait before the same alert is sent again. Milliseconds. @default 3_600_000, an hour
   */
  readonly repeatAfterMs?: number
  /**
   * Called with each alert, which is also published on `oncekey:alert`. If it throws, or takes
   * longer than 30 seconds, that is published on `oncekey:relay-error`, and the next check repeats
   * the alert.
   */
  readonly onAlert?: (alert: Alert) => unknown
  /** How often `start` checks. Milliseconds. @default 30_000 */
  readonly everyMs?: number
}

type ResolvedAlertOptions = Required<Omit<AlertOptions, 'lag' | 'onAlert'>> & {
  readonly lag: AlertOptions['lag']
  readonly onAlert: AlertOptions['onAlert']
}

export interface DeadLetterAlerts {
  /**
   * Checks once and returns the alerts that were sent. A lag that cannot be read is published on
   * `oncekey:relay-error`, and the others are alerted of.
   */
  check(): Promise<readonly Alert[]>
  start(): void
  stop(): void
}

/**
 * Alerts when dead letters pile up, grow old or show a new kind of error, and when consumers fall
 * behind. Throws `OptionsError`.
 *
 * @example
 * ```ts
 * const alerts = deadLetterAlerts({
 *   source: log.deadLetters,
 *   maxDepth: 20,
 *   onAlert: ({ text }) => pager.page(text),
 * })
 * alerts.start()
 * ```
 */
export function deadLetterAlerts(options: AlertOptions): DeadLetterAlerts {
  const resolved = resolve(options)
  const { source, onAlert, repeatAfterMs, everyMs } = resolved
  const sentAt = new Map<string, number>()
  let known: Set<string> | undefined
  /** New kinds of error for whose alert `onAlert` has not succeeded yet. */
  const pendingKinds = new Set<string>()
  /** Consumers that the log did not know at the last check. */
  const unknown = new Set<string>()
  let timer: Later | undefined
  /** The period from a `start` to the next `stop`; undefined while stopped. */
  let period: object | undefined

  return { check: () => checked(() => true), start, stop }

  /** Checks, and sends nothing more once it is no longer `isWanted`. */
  async function checked(isWanted: () => boolean): Promise<readonly Alert[]> {
    const stats = await source.stats()
    const lags = await ofLag(isWanted)
    if (!isWanted()) return []
    const alerts = [...ofStats(stats), ...ofNewErrors(stats), ...lags]
    const news = alerts.filter(isNews)
    for (const [at, alert] of news.entries()) {
      if (!isWanted()) {
        // What is left is news for the next check.
        for (const rest of news.slice(at)) putOff(rest)
        return news.slice(0, at)
      }
      // An alert for which `onAlert` failed is sent again with the next check.
      const isTaken = await send(alert)
      if (!isTaken) putOff(alert)
      else if (alert.kind === 'new-error') pendingKinds.delete(alert.about ?? '')
    }
    return news
  }

  function putOff(alert: Alert): void {
    sentAt.delete(nameOf(alert))
    // A kind of error is new only once, so it has to be remembered that its alert is still to be
    // sent.
    if (alert.kind === 'new-error' && alert.about !== undefined) pendingKinds.add(alert.about)
  }

  function start(): void {
    if (period !== undefined) return
    period = {}
    void again(period)
  }

  function stop(): void {
    period = undefined
    timer?.cancel()
  }

  async function again(own: object): Promise<void> {
    // A check may outlast a stop, and the next start has a loop of its own.
    const isMine = (): boolean => period === own
    await checked(isMine).catch((error) => {
      if (isMine()) failed(error)
    })
    if (!isMine()) return
    timer = callLater(() => void again(own), everyMs).unref()
  }

  function ofStats({ depth, oldestAgeMs }: DeadLetterStats): Alert[] {
    const { maxDepth, maxAgeMs } = resolved
    const alerts: Alert[] = []
    // A source may stop counting at COUNTED, so this depth means that many or more.
    if (depth > maxDepth || depth === COUNTED) {
      const text =
        depth === COUNTED
          ? `${depth} dead letters of ${source.name} or more; maxDepth is ${maxDepth}.`
          : `${depth} dead letters of ${source.name}, more than ${maxDepth}.`
      alerts.push(alertOf('depth', undefined, depth, maxDepth, text))
    }
    if (oldestAgeMs !== null && oldestAgeMs > maxAgeMs) {
      const text = `The oldest dead letter of ${source.name} is ${inWords(oldestAgeMs)} old, more than ${inWords(maxAgeMs)}.`
      alerts.push(alertOf('age', undefined, oldestAgeMs, maxAgeMs, text))
    }
    return alerts
  }

  /** The first check only records the kinds of error that it finds; they do not count as new. */
  function ofNewErrors({ groups }: DeadLetterStats): Alert[] {
    const before = known
    known ??= new Set()
    const alerts: Alert[] = []
    for (const { origin, fingerprint, count, sample } of groups) {
      const kind = `${origin} ${fingerprint}`
      const isPending = before !== undefined && pendingKinds.has(kind)
      if (known.has(kind) && !isPending) continue
      known.add(kind)
      if (before === undefined || !resolved.newErrors) continue
      const text = `A new kind of error among the dead letters of ${origin}: ${sample.name}: ${sample.message} (${count}, such as ${sample.id}).`
      alerts.push(alertOf('new-error', kind, count, 0, text))
    }
    return alerts
  }

  async function ofLag(isWanted: () => boolean): Promise<Alert[]> {
    const { lag, maxLagMs, maxHorizonMs } = resolved
    const alerts: Alert[] = []
    for (const consumer of lag?.consumers ?? []) {
      // What cannot be read about one consumer says nothing about the others, or about the letters.
      const behind = await lag?.log.lag(consumer).catch((error) => {
        if (isWanted()) failed(error, consumer)
      })
      if (!behind) continue
      const { known: isKnown, events, oldestMs, horizon } = behind
      if (isKnown) unknown.delete(consumer)
      // A consumer that was just deployed is unknown until its relay registers it, so only the
      // second check in a row alerts.
      else if (unknown.has(consumer)) {
        const text =
          `The log has no consumer "${consumer}", so its lag is unknown: no relay has registered it, or ` +
          'it was retired. Start its relay, or correct the name in lag.consumers.'
        alerts.push(alertOf('missing-consumer', consumer, 0, 0, text))
      } else unknown.add(consumer)
      if (oldestMs !== null && oldestMs > maxLagMs) {
        const text = `Consumer "${consumer}" is ${events} events and ${inWords(oldestMs)} behind.`
        alerts.push(alertOf('lag', consumer, oldestMs, maxLagMs, text))
      }
      if (horizon !== null && horizon.ageMs > maxHorizonMs) {
        const who = /^\d+$/.test(horizon.pid) ? `pid ${horizon.pid}` : horizon.pid
        const text = `A transaction has been writing for ${inWords(horizon.ageMs)} (${who}): nothing written since can be cleaned up.`
        alerts.push(alertOf('horizon', horizon.pid, horizon.ageMs, maxHorizonMs, text))
      }
    }
    return alerts
  }

  function alertOf(
    kind: Alert['kind'],
    about: string | undefined,
    value: number,
    threshold: number,
    text: string,
  ): Alert {
    return { source: source.name, kind, about, value, threshold, text }
  }

  function isNews(alert: Alert): boolean {
    const name = nameOf(alert)
    const last = sentAt.get(name)
    if (last !== undefined && performance.now() - last < repeatAfterMs) return false
    sentAt.set(name, performance.now())
    return true
  }

  async function send(alert: Alert): Promise<boolean> {
    const heard = tell('oncekey:alert', () => alert)
    if (onAlert === undefined) {
      if (!heard) warnOnce(`alert:${alert.kind}:${alert.about}`, alert.text)
      return true
    }
    try {
      const isTaken = await endsWithin(Promise.resolve(onAlert(alert)), LONGEST_ALERT_MS)
      if (!isTaken) throw new Error(`onAlert took longer than ${LONGEST_ALERT_MS / 1_000} s.`)
      return true
    } catch (error) {
      failed(error)
      return false
    }
  }

  function failed(error: unknown, consumer?: string): void {
    const heard = tell('oncekey:relay-error', () => ({
      relay: 'alerts',
      consumer,
      during: 'alert',
      error,
    }))
    if (heard) return
    const what = consumer === undefined ? 'Dead letters' : `The lag of consumer "${consumer}"`
    warnOnce(
      `alert-error:${source.name}:${consumer ?? ''}`,
      `${what} could not be watched: ${messageOf(error)}`,
    )
  }
}

function nameOf({ kind, about }: Alert): string {
  return `${kind} ${about}`
}

const LONGEST_ALERT_MS = 30_000

/** A source may stop counting here, so a depth of this number means this many or more. */
const COUNTED = 100_000

function inWords(ms: number): string {
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`
  return `${Math.round(ms / 3_600_000)} h`
}

function resolve(options: AlertOptions): ResolvedAlertOptions {
  if (typeof options?.source?.stats !== 'function') {
    throw new OptionsError('deadLetterAlerts: source is missing. Write `source: log.deadLetters`.')
  }
  if (options.onAlert !== undefined && typeof options.onAlert !== 'function') {
    throw new OptionsError(
      'deadLetterAlerts: onAlert must be a function, such as `({ text }) => pager.page(text)`.',
    )
  }
  return {
    source: options.source,
    lag: options.lag,
    maxDepth: least('maxDepth', options.maxDepth ?? 100),
    maxAgeMs: least('maxAgeMs', options.maxAgeMs ?? 86_400_000),
    maxLagMs: least('maxLagMs', options.maxLagMs ?? 60_000),
    maxHorizonMs: least('maxHorizonMs', options.maxHorizonMs ?? 600_000),
    newErrors: options.newErrors ?? true,
    repeatAfterMs: least('repeatAfterMs', options.repeatAfterMs ?? 3_600_000),
    onAlert: options.onAlert,
    everyMs: least('everyMs', options.everyMs ?? 30_000),
  }
}

function least(name: string, value: number): number {
  if (Number.isFinite(value) && value >= 0) return value
  throw new OptionsError(`deadLetterAlerts: ${name} must be a number from 0, not ${value}.`)
}
