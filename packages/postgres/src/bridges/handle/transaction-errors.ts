import { OncekeyError } from '@oncekey/core'

export function transactionOver(): OncekeyError {
  return new OncekeyError(
    'transaction-over',
    'The transaction ended with the response, and its connection may serve another request by now. ' +
      'Await everything that writes before responding, or use the pool for what comes after.',
  )
}

export function connectionLost(cause: unknown): OncekeyError {
  const what = cause instanceof Error ? cause.message : String(cause)
  return new OncekeyError(
    'transaction-over',
    `The connection of the transaction was lost while the handler ran: ${what}. Nothing that was ` +
      'written in it is kept. Let the error through; the retry runs again.',
    { cause },
  )
}

export function transactionControl(what: string): OncekeyError {
  return new OncekeyError(
    'transaction-control',
    `${what} on the transaction of an idempotent request: Oncekey commits it with the response. ` +
      'To undo the writes, throw or answer with a 4xx or 5xx status; to undo a part of them, use ' +
      'SAVEPOINT and ROLLBACK TO; for a transaction of your own, take a connection from the pool.',
  )
}
