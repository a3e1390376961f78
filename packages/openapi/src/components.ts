import { OptionsError, type ProblemCode, problemTypes, type RetryAdvice } from '@oncekey/core'
import {
  type DescribeOptions,
  type ResolvedDescribeOptions,
  resolveDescribeOptions,
} from './options.ts'

/** A part of an OpenAPI document. */
export type JsonObject = { [name: string]: unknown }

/** The objects for `components` of an OpenAPI document. */
export interface Components {
  readonly parameters: JsonObject
  readonly headers: JsonObject
  readonly schemas: JsonObject
  readonly responses: JsonObject
}

/**
 * Returns the parameter, the headers, the schema of a problem and one response for each code, to
 * put under `components`. They are the same in OpenAPI 3.1 and 3.2.
 *
 * @throws {OptionsError} for an unknown code
 */
export function idempotencyComponents(options: DescribeOptions = {}): Components {
  return componentsOf(resolveDescribeOptions(options))
}

export function componentsOf(options: ResolvedDescribeOptions): Components {
  return {
    parameters: { IdempotencyKey: parameter(options) },
    headers: { IdempotencyReplayed: REPLAYED, RetryAfter: RETRY_AFTER },
    schemas: { IdempotencyProblem: problemSchema(options) },
    responses: Object.fromEntries(
      options.codes.map((code) => [responseName(code), problemResponse([code], options)]),
    ),
  }
}

/**
 * Names the component of a code: `key-reused` becomes `IdempotencyKeyReused`. The prefix keeps
 * clear of the application's own names.
 */
export function responseName(code: ProblemCode): string {
  const words = code.split('-').map((word) => word[0]?.toUpperCase() + word.slice(1))
  return `Idempotency${words.join('')}`
}

function parameter({ header, required }: ResolvedDescribeOptions): JsonObject {
  return {
    name: header,
    in: 'header',
    required,
    description:
      'Chosen by the client: new for every operation, and the same on every retry of it. A retry ' +
      'gets the first answer again instead of running the operation twice.',
    schema: { type: 'string', minLength: 1, maxLength: 255, examples: ['5f0c9a3e-1d7b-4c58-9d3e'] },
  }
}

const REPLAYED: JsonObject = {
  description: 'Present with the value `true` if this is the stored answer to an earlier request.',
  schema: { type: 'string', enum: ['true'] },
}

const RETRY_AFTER: JsonObject = {
  description: 'Seconds to wait before the same request is sent again.',
  schema: { type: 'integer', minimum: 1 },
}

function problemSchema({ codes }: ResolvedDescribeOptions): JsonObject {
  return {
    type: 'object',
    description: 'An RFC 9457 problem. `retry` says what a client may do next.',
    required: ['type', 'title', 'status', 'detail', 'code', 'retry'],
    properties: {
      type: { type: 'string', format: 'uri' },
      title: { type: 'string' },
      status: { type: 'integer' },
      detail: { type: 'string' },
      code: { type: 'string', enum: codes },
      retry: {
        type: 'string',
        enum: ['same-key', 'new-key', 'never'],
        description:
          '`same-key`: send the same request again, with the same key. `new-key`: start over with ' +
          'a new key. `never`: neither will help.',
      },
    },
  }
}

/**
 * Makes the response for codes that share a status. `x-idempotency-retry` has the advice of each
 * code, for generators of clients.
 */
export function problemResponse(
  codes: readonly ProblemCode[],
  options: ResolvedDescribeOptions,
): JsonObject {
  const soon = codes.some((code) => problemTypes[code].soon || isSoon(options.statusOf(code)))
  const advice: Record<string, RetryAdvice> = Object.fromEntries(
    codes.map((code) => [code, problemTypes[code].retry]),
  )
  return {
    description: codes.map((code) => `\`${code}\`: ${problemTypes[code].title}.`).join(' '),
    ...(soon && { headers: { 'Retry-After': { $ref: '#/components/headers/RetryAfter' } } }),
    content: {
      'application/problem+json': {
        schema: {
          allOf: [
            { $ref: '#/components/schemas/IdempotencyProblem' },
            { type: 'object', properties: { code: { type: 'string', enum: codes } } },
          ],
        },
        examples: Object.fromEntries(codes.map((code) => [code, example(code, options)])),
      },
    },
    'x-idempotency-retry': advice,
  }
}

/** Statuses that get `Retry-After` whatever the code. */
const isSoon = (status: number): boolean => [425, 429, 503].includes(status)

function example(code: ProblemCode, { docsUrl, statusOf }: ResolvedDescribeOptions): JsonObject {
  const { title, retry } = problemTypes[code]
  const type =
    docsUrl === undefined
      ? `urn:oncekey:problem:${code}`
      : `${docsUrl}${docsUrl.endsWith('/') ? '' : '#'}${code}`
  return { value: { type, title, status: statusOf(code), detail: '…', code, retry } }
}

/** Refuses a document that is not OpenAPI 3.1 or 3.2. */
export function checkVersion(version: unknown): void {
  if (typeof version === 'string' && /^3\.[12]\.\d+$/.test(version)) return
  throw new OptionsError(
    `The document's "openapi" is ${JSON.stringify(version)}; write 3.1.x or 3.2.x. Generators have an option for it, such as openapi: { openapi: '3.1.1' } of @fastify/swagger.`,
  )
}
