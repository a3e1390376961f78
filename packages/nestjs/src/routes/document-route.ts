import 'reflect-metadata'
import { RequestMethod } from '@nestjs/common'
import type { Coverage } from './coverage.ts'
import { type Class, type Handler, METHOD } from './metadata.ts'

/**
 * Documents a covered route for `@nestjs/swagger`: the header, and the answers that are not the
 * handler's. Writes the metadata that swagger's own decorators write. What the app itself has said
 * of a header or a status stays.
 */
export function documentRoute(
  type: Class,
  name: string,
  handler: Handler,
  { engine }: Coverage,
): void {
  const { headerName, required, key, problemStatus } = engine.options
  if (key === undefined) documentHeader(handler, headerName, required)
  const said: Responses = Reflect.getMetadata(RESPONSES, handler) ?? standing(type, name, handler)
  const answers: Responses = {}
  for (const [code, status, description] of ANSWERS) {
    const at = String(problemStatus[code] ?? status)
    answers[at] ??= { description, content: PROBLEM }
  }
  Reflect.defineMetadata(RESPONSES, { ...answers, ...said }, handler)
}

/**
 * The response that swagger would document by itself: a success, with the type that its compiler
 * plugin found. Swagger leaves it out once any response is documented, so it is written beside
 * ours.
 */
function standing(type: Class, name: string, handler: Handler): Responses {
  const factory = (type as { [FACTORY]?: () => Record<string, PluginMetadata> })[FACTORY]
  const { status, type: found, ...more } = factory?.()[name] ?? {}
  const isArray = Array.isArray(found)
  const body = found === undefined ? {} : { type: isArray ? found[0] : found, isArray }
  const { description = '' } = more
  return { [String(status ?? successOf(handler))]: { description, ...body } }
}

function successOf(handler: Handler): number {
  const isPost = Reflect.getMetadata(METHOD, handler) === RequestMethod.POST
  return Reflect.getMetadata(HTTP_CODE, handler) ?? (isPost ? 201 : 200)
}

function documentHeader(handler: Handler, name: string, required: boolean): void {
  const parameters: Parameter[] = Reflect.getMetadata(PARAMETERS, handler) ?? []
  const isSaid = parameters.some((other) => other.name?.toLowerCase() === name.toLowerCase())
  if (isSaid) return
  const parameter: Parameter = {
    name,
    in: 'header',
    required,
    description:
      'Chosen by the client, one for each operation. Sent again with the same key, the request is answered with the stored response.',
    schema: { type: 'string', minLength: 1, maxLength: 255 },
  }
  Reflect.defineMetadata(PARAMETERS, [...parameters, parameter], handler)
}

interface Parameter {
  readonly name?: string
  readonly [field: string]: unknown
}

type Responses = Record<string, unknown>

/**
 * The metadata that the compiler plugin of `@nestjs/swagger` leaves on a controller for one method.
 */
interface PluginMetadata {
  readonly status?: number
  readonly type?: unknown
  readonly description?: string
}

const FACTORY = '_OPENAPI_METADATA_FACTORY'
const HTTP_CODE = '__httpCode__'
const PARAMETERS = 'swagger/apiParameters'
const RESPONSES = 'swagger/apiResponse'

const ANSWERS = [
  ['key-missing', 400, 'The Idempotency-Key is missing or not valid.'],
  ['in-progress', 409, 'The first request with this Idempotency-Key is still running.'],
  ['result-gone', 410, 'The request was answered; its answer is not kept.'],
  ['key-reused', 422, 'This Idempotency-Key was used with another request.'],
  ['store-unavailable', 503, 'Nothing was done, or it is not known; send the same request again.'],
] as const

const PROBLEM = {
  'application/problem+json': {
    schema: {
      type: 'object',
      required: ['type', 'title', 'status', 'detail', 'code', 'retry'],
      properties: {
        type: { type: 'string', format: 'uri-reference' },
        title: { type: 'string' },
        status: { type: 'integer' },
        detail: { type: 'string' },
        code: { type: 'string' },
        retry: { type: 'string', enum: ['same-key', 'new-key', 'never'] },
      },
    },
  },
}
