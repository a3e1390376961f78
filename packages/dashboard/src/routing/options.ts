import {
  type DeadLetterSource,
  type EventLog,
  type Keys,
  type Operations,
  OptionsError,
} from '@oncekey/core'
import type { Authorize } from './access.ts'

export interface DashboardOptions {
  /** Asked for every request. There is no dashboard for whom it does not name. */
  readonly authorize: Authorize
  /** A store that has `keys` and `operations`: Postgres, memory. */
  readonly store?: {
    readonly keys?: Keys | undefined
    readonly operations?: Operations | undefined
  }
  /** Whatever keeps dead letters: `log.deadLetters`, `hooks.deadLetters`, `sagaDeadLetters(…)`. */
  readonly deadLetters?: readonly DeadLetterSource[]
  /** How far consumers are behind. */
  readonly lag?: { readonly log: Pick<EventLog, 'lag'>; readonly consumers: readonly string[] }
  /** What is shown in place of a payload: of an event's data, or of a response's body. @default itself */
  readonly mask?: (payload: string, what: 'event' | 'response') => string
  /** @default 'Oncekey' */
  readonly title?: string
  /** Where it is mounted, without a slash behind it: `/admin/oncekey`. Mounts of `./node` know it. @default '' */
  readonly basePath?: string
}

export interface ResolvedOptions {
  readonly authorize: Authorize
  readonly keys: Keys | undefined
  readonly operations: Operations | undefined
  readonly deadLetters: readonly DeadLetterSource[]
  readonly lag: DashboardOptions['lag']
  readonly mask: NonNullable<DashboardOptions['mask']>
  readonly title: string
  readonly basePath: string
}

export function resolveOptions(options: DashboardOptions): ResolvedOptions {
  const {
    authorize,
    store,
    deadLetters = [],
    lag,
    title = 'Oncekey',
    basePath = '',
  } = options ?? {}
  if (typeof authorize !== 'function') {
    throw new OptionsError(
      "dashboard: authorize is missing. Write a function of the request that returns { actor: 'maria@shop.example', may: 'read-only' }, or null for whom it must not be shown.",
    )
  }
  if (store !== undefined && store.keys === undefined) {
    throw new OptionsError(
      'dashboard: this store has no `keys`. The Postgres store and the memory store have; leave `store` out for another.',
    )
  }
  if (store === undefined && deadLetters.length === 0 && lag === undefined) {
    throw new OptionsError(
      'dashboard: there is nothing to show. Write at least one of `store`, `deadLetters` and `lag`.',
    )
  }
  const names = deadLetters.map(({ name }) => name)
  if (new Set(names).size < names.length) {
    throw new OptionsError(
      `dashboard: two of deadLetters are called the same (${names.join(', ')}). Show each of them once.`,
    )
  }
  if (basePath !== '' && !/^\/.*[^/]$/.test(basePath)) {
    throw new OptionsError(
      `dashboard: basePath must begin with a slash and not end with one: '/admin/oncekey', not ${JSON.stringify(basePath)}.`,
    )
  }
  return {
    authorize,
    keys: store?.keys,
    operations: store?.operations,
    deadLetters,
    lag,
    mask: options.mask ?? ((payload) => payload),
    title,
    basePath,
  }
}
