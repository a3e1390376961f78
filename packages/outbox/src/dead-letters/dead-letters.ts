import type {
  Act,
  ActedBy,
  DeadLetterDetail,
  DeadLetterFilter,
  DeadLetterPage,
  DeadLetterSource,
  DeadLetterStats,
  RedriveStart,
  Redrives,
  Replaced,
  Resolution,
  RetryingFilter,
} from '@oncekey/core'
import { checkedFilter, checkedRetryingFilter, looksAtAll, OptionsError } from '@oncekey/core'
import { redrive, requiredRedrives } from './redrive.ts'
import type { RedriveOptions, RedriveResult } from './redrive-options.ts'

export interface DeadLetterPreview {
  readonly matched: number
  /**
   * False where there are more dead letters than a preview looks at (`LETTERS_LOOKED_AT`): those
   * behind them may match, too, and the redrive takes them.
   */
  readonly isWhole: boolean
  readonly sample: DeadLetterPage['items']
}

/** What an operator can see of dead letters and do about them. */
export interface DeadLetters {
  /** Lists dead letters, oldest first. */
  list(
    filter?: DeadLetterFilter,
    page?: { readonly limit?: number; readonly after?: string },
  ): Promise<DeadLetterPage>
  /** Lists failed deliveries that will be retried, each with the time of its next attempt. */
  retrying(
    filter?: RetryingFilter,
    page?: { readonly limit?: number; readonly after?: string },
  ): Promise<DeadLetterPage>
  /** One dead letter, with its event and, for every attempt, its time, duration and error. */
  get(id: string): Promise<DeadLetterDetail | undefined>
  /** Counts what a redrive with the same filter would take, and returns some of it as a sample. */
  preview(filter: DeadLetterFilter): Promise<DeadLetterPreview>
  /**
   * Puts dead letters back, oldest first, under their old event ids. It calls {@link startRedrive}
   * and waits for the end. If this process dies, the relay, worker or runner of the source
   * continues the redrive. Throws `OptionsError` for a filter on `retired` letters, and if the
   * source keeps no redrives.
   */
  redrive(filter: DeadLetterFilter, options?: RedriveOptions): Promise<RedriveResult>
  /**
   * Puts a redrive on record and returns its id. It is carried out by what works the source: a
   * relay, a webhook worker or a saga runner. Throws `OptionsError` if the source keeps no
   * redrives.
   */
  startRedrive(filter: DeadLetterFilter, options?: RedriveStart & ActedBy): Promise<string>
  /** The redrives on record, for listing and cancelling; `undefined` if the source keeps none. */
  readonly redrives: Omit<Redrives, 'start' | 'carry'> | undefined
  /**
   * Marks dead letters as never to be delivered. The note says why; an {@link Act} also says who,
   * for the audit trail.
   */
  discard(ids: readonly string[], note: string | Act): Promise<readonly Resolution[]>
  /**
   * Redrives one dead letter with other data, as JSON text, under a new event id. The old and the
   * new delivery name each other, and the audit entry contains the differences. Throws
   * `event-invalid`. Throws `OptionsError` if the source cannot do it: the input of a running saga
   * cannot be exchanged.
   */
  editAndRedrive(id: string, data: string, by?: ActedBy): Promise<Replaced>
  stats(): Promise<DeadLetterStats>
}

/**
 * An operator's access to the dead letters of a source: `log.deadLetters`, or those of webhooks or
 * sagas.
 *
 * @example
 * ```ts
 * const dead = deadLetters(log.deadLetters)
 * await dead.redrive({ origin: 'email', deadAfter: deployedAt }, { ratePerSecond: 20 })
 * ```
 */
export function deadLetters(source: DeadLetterSource): DeadLetters {
  return {
    list: async (filter = {}, page = {}) =>
      source.list(checkedFilter('list', filter), limited(page)),
    retrying: async (filter = {}, page = {}) =>
      source.listRetrying(checkedRetryingFilter('retrying', filter), limited(page)),
    get: (id) => source.get(id),
    async preview(filter) {
      checkedFilter('preview', filter)
      const [matched, { items }, { depth }] = await Promise.all([
        source.count(filter),
        source.list(filter, { limit: 10 }),
        source.stats(),
      ])
      return { matched, isWhole: looksAtAll(filter, depth), sample: items }
    },
    redrive: (filter, options = {}) => redrive(source, filter, options),
    async startRedrive(filter, { actor, note, ...pace } = {}) {
      checkedFilter('startRedrive', filter)
      const by = { ...(actor !== undefined && { actor }), ...(note !== undefined && { note }) }
      return await requiredRedrives(source, 'startRedrive').start(filter, pace, by)
    },
    redrives: source.redrives,
    async discard(ids, given) {
      const { note, ...by } = typeof given === 'string' ? { note: given } : given
      if (typeof note !== 'string' || note.trim() === '' || note.includes('\0')) {
        throw new OptionsError(
          "discard: note must be text without NUL that says why, such as discard(ids, 'customer closed the account').",
        )
      }
      return source.discard(ids, note, by)
    },
    async editAndRedrive(id, data, by) {
      if (source.replace !== undefined) return await source.replace(id, data, by)
      throw new OptionsError(
        `editAndRedrive: the data of a dead letter of ${source.name} cannot be exchanged. Discard it, and ` +
          'append or start what it should have been.',
      )
    },
    stats: () => source.stats(),
  }
}

/** A page with a limit, also where the one given is `undefined`. */
function limited<Page extends { readonly limit?: number }>(page: Page): Page & { limit: number } {
  return { ...page, limit: page.limit ?? 100 }
}
