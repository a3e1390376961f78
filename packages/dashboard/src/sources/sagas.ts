import type { Act } from '@oncekey/core'

/** The functions of sagas that the dashboard uses. `sagaOperator()` of `@oncekey/saga` has them. */
export interface SagasSource {
  list(filter: {
    readonly saga?: string
    readonly state?: ShownRun['state']
    readonly stuck?: boolean
    readonly after?: string
    readonly limit: number
  }): Promise<readonly ShownRun[]>
  get(id: string): Promise<ShownWholeRun | undefined>
  /**
   * Each of these returns the run's state after the act; `resume` returns `under-way` if a process
   * drives the run, and nothing was changed.
   */
  resume(id: string, act: Act): Promise<string>
  compensate(id: string, options: Act & { readonly pastPivot: boolean }): Promise<string>
  settle(id: string, note: string, act: Act): Promise<string>
}

export const RUN_STATES = [
  'running',
  'completed',
  'compensating',
  'compensated',
  'compensation-failed',
  'stuck',
  'settled',
] as const

export interface ShownRun {
  readonly id: string
  readonly saga: string
  readonly version: number
  readonly state: (typeof RUN_STATES)[number]
  readonly stuck: { readonly reason: string; readonly detail: string } | undefined
  readonly failedStep: string | undefined
  readonly error: { readonly name: string; readonly message: string } | undefined
  readonly startedAt: Date
  readonly endedAt: Date | undefined
}

export interface ShownWholeRun extends ShownRun {
  readonly input: unknown
  readonly owner: string | undefined
  readonly dueAt: Date | undefined
  readonly note: string | undefined
  readonly plan: readonly { readonly name: string; readonly kind: string }[]
  readonly steps: readonly ShownStep[]
  readonly timeline: readonly {
    readonly at: Date
    readonly text: string
    readonly error?: { readonly stack?: string }
  }[]
}

/** A step that the run has begun. Steps that it has not begun are left out. */
export interface ShownStep {
  readonly name: string
  readonly state: string
  readonly attempts: number
  readonly compensationAttempts: number
  readonly result: unknown
  readonly begunAt: Date
  readonly doneAt: Date | undefined
  readonly compensatedAt: Date | undefined
}
