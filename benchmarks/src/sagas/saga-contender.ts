/** A way of running five steps after each other, each of which inserts an order. */
export interface SagaContender {
  /** Runs one saga to its end. `onStep` is called when a step begins. */
  run(onStep: () => void): Promise<unknown>
  /** Closes its connections. */
  close(): Promise<void>
}

export type OpenSagas = (url: string) => Promise<SagaContender>

export const STEPS = 5

/** Connections of a pool. */
export const SAGA_POOL_SIZE = 20
