import { MissingDestinationError } from './missing-destination-error.ts'
import type { SendFailures } from './shared-sends.ts'

/** What the broker says about one entry of a request that it refused. */
export class RefusedEntryError extends Error {
  override readonly name = 'RefusedEntryError'
  readonly code: string
  readonly isSenderFault: boolean

  constructor(code: string, message: string, isSenderFault: boolean) {
    super(`${code}: ${message}`)
    this.code = code
    this.isSenderFault = isSenderFault
  }
}

/** The answer of SQS and SNS to a batch. */
export interface BatchAnswer {
  readonly Successful?: readonly { readonly Id?: string | undefined }[] | undefined
  readonly Failed?:
    | readonly {
        readonly Id: string | undefined
        readonly Code: string | undefined
        readonly Message?: string | undefined
        readonly SenderFault: boolean | undefined
      }[]
    | undefined
}

/**
 * Reads the failures of single messages out of the answer. The id of an entry is its message's
 * index. A message that the answer does not name as successful counts as failed.
 */
export function failuresIn<Message>(
  messages: readonly Message[],
  { Successful = [], Failed = [] }: BatchAnswer,
): SendFailures<Message> {
  const taken = new Set(Successful.map(({ Id }) => Id))
  const failures = new Map<Message, unknown>()
  for (const [at, message] of messages.entries()) {
    if (taken.has(String(at))) continue
    const { Code, Message, SenderFault } = Failed.find(({ Id }) => Id === String(at)) ?? {}
    failures.set(
      message,
      new RefusedEntryError(Code ?? 'Unanswered', Message ?? 'no outcome', SenderFault === true),
    )
  }
  return failures
}

/** Makes the service's error about a destination that does not exist one that is waited for. */
export function awsError(error: unknown, destination: string): unknown {
  if (!isMissing(error)) return error
  return new MissingDestinationError(`There is no ${destination}.`, { cause: error })
}

/** Whether the service says that it does not know the destination. */
export function isMissing(error: unknown): boolean {
  return MISSING.has(codeOf(error))
}

/** Whether the service says that the caller has no right to this request. */
export function isDenied(error: unknown): boolean {
  return DENIED.has(codeOf(error))
}

/**
 * Whether the message is at fault. What the service blames on the sender includes throttling and
 * missing rights, which pass.
 */
export function isPermanent(error: unknown): boolean {
  if (error instanceof RefusedEntryError) {
    return error.isSenderFault && !PASSING.test(error.code)
  }
  const { message } = (error ?? {}) as { message?: unknown }
  // SNS has the same error for a topic of another region.
  return ABOUT_THE_MESSAGE.has(codeOf(error)) && !/TopicArn/.test(String(message))
}

/** The name of the service's error. Versions of the clients add a prefix or a suffix to it. */
function codeOf(error: unknown): string {
  const { name } = (error ?? {}) as { name?: unknown }
  return String(name)
    .replace(/^.*[.#]/, '')
    .replace(/Exception$/, '')
}

const PASSING = /throttl|limit|denied|authoriz|kms|security|token|expired|internal|unavailable/i

const DENIED = new Set(['AccessDenied', 'NotAuthorized'])

const MISSING = new Set(['QueueDoesNotExist', 'NonExistentQueue', 'NotFound', 'ResourceNotFound'])

const ABOUT_THE_MESSAGE = new Set([
  'BatchRequestTooLong',
  'InvalidMessageContents',
  'InvalidParameter',
  'InvalidParameterValue',
  'Validation',
])
