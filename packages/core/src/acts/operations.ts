/**
 * The audit trail of acts from outside: what was done, by whom and why. A store appends to it and
 * never changes or removes an entry; each entry is in the same commit as its act.
 */
export interface Operations {
  /** Lists acts, the newest first, never more than `limit`. */
  list(filter: OperationFilter, page: OperationPageRequest): Promise<OperationPage>
}

/** Every given condition must hold. An empty filter matches all. */
export interface OperationFilter {
  readonly actor?: string
  /** `keys.release`, for example. */
  readonly act?: string
  /** The target of the act, the same text as {@link Operation.target}. */
  readonly target?: string
  readonly since?: Date
  readonly until?: Date
}

export interface OperationPageRequest {
  /** 1 to 1,000. */
  readonly limit: number
  /** `next` of the previous page. */
  readonly after?: string
}

export interface OperationPage {
  readonly items: readonly Operation[]
  readonly next: string | undefined
}

/** One act on record. */
export interface Operation {
  readonly id: string
  readonly at: Date
  readonly actor: string
  /**
   * `keys.release`, `dead-letters.discard`, `endpoints.pause`, `sagas.settle`: docs/operating.md.
   */
  readonly act: string
  /** The target of the act. For a key, {@link keyTarget}; for others, {@link actTarget}. */
  readonly target: string
  readonly note: string
  /** The values that the act replaced or wrote, without secrets. */
  readonly detail: Readonly<Record<string, unknown>>
}
