import type { ProblemCode } from '@oncekey/core'
import {
  checkVersion,
  componentsOf,
  type JsonObject,
  problemResponse,
  responseName,
} from './components.ts'
import {
  type DescribeOptions,
  type ResolvedDescribeOptions,
  resolveDescribeOptions,
} from './options.ts'

/**
 * Returns the document with every covered operation described. It adds the parameter, the problems
 * by status, and, to each of the operation's own answers, the header that marks a replay. What the
 * operation itself says of a status or of the parameter stays. The document may come from any
 * generator.
 *
 * @throws {OptionsError} if the document is not OpenAPI 3.1 or 3.2, or an option is invalid
 * @example
 * ```ts
 * const document = describeIdempotency(swaggerJsdoc({ definition, apis: ['src/*.js'] }))
 * ```
 */
export function describeIdempotency<Document extends object>(
  document: Document,
  options: DescribeOptions = {},
): Document {
  const resolved = resolveDescribeOptions(options)
  const given = document as JsonObject
  checkVersion(given.openapi)
  const components = (given.components ?? {}) as JsonObject
  const problems = problemsByStatus(resolved)
  const responses = Object.fromEntries(problems.map(({ name, response }) => [name, response]))
  const added = Object.entries({ ...componentsOf(resolved), responses }).map(([kind, parts]) => [
    kind,
    { ...(parts as JsonObject), ...(components[kind] as JsonObject | undefined) },
  ])
  const described: JsonObject = { ...components, ...Object.fromEntries(added) }
  const paths = Object.entries((given.paths ?? {}) as JsonObject).map(([path, item]) => [
    path,
    describePath(path, item as JsonObject, resolved, described),
  ])
  return {
    ...document,
    components: described,
    paths: Object.fromEntries(paths),
  }
}

function describePath(
  path: string,
  item: JsonObject,
  options: ResolvedDescribeOptions,
  components: JsonObject,
): JsonObject {
  return Object.fromEntries(
    Object.entries(item).map(([method, operation]) => [
      method,
      options.methods.includes(method) && options.covers(path, method.toUpperCase())
        ? describeOperation(operation as JsonObject, options, components)
        : operation,
    ]),
  )
}

function describeOperation(
  operation: JsonObject,
  options: ResolvedDescribeOptions,
  components: JsonObject,
): JsonObject {
  const problems = Object.fromEntries(
    problemsByStatus(options).map(({ status, name }) => [
      status,
      { $ref: `#/components/responses/${name}` },
    ]),
  )
  const own = (operation.responses ?? {}) as Record<string, JsonObject>
  const answers = Object.entries(own).map(([status, response]) => [
    status,
    withReplayHeader(response, options),
  ])
  return {
    ...operation,
    parameters: withKey((operation.parameters ?? []) as JsonObject[], options, components),
    responses: { ...problems, ...Object.fromEntries(answers) },
  }
}

/**
 * Adds the parameter if it is missing. A generator that describes headers by a schema may have it
 * already, and so has an operation that was described before. It may be a reference.
 */
function withKey(
  parameters: readonly JsonObject[],
  { header }: ResolvedDescribeOptions,
  components: JsonObject,
): readonly JsonObject[] {
  const shared = (components.parameters ?? {}) as Record<string, JsonObject | undefined>
  const has = parameters.some((parameter) => {
    const { $ref } = parameter
    if ($ref === OURS) return true
    const { name, in: where } =
      typeof $ref === 'string' ? (shared[$ref.replace(PARAMETERS, '')] ?? {}) : parameter
    return where === 'header' && String(name).toLowerCase() === header.toLowerCase()
  })
  return has ? parameters : [...parameters, { $ref: OURS }]
}

const PARAMETERS = '#/components/parameters/'
const OURS = `${PARAMETERS}IdempotencyKey`

function withReplayHeader(
  response: JsonObject,
  { replayedHeader }: ResolvedDescribeOptions,
): JsonObject {
  if ('$ref' in response) return response
  const headers = {
    [replayedHeader]: { $ref: '#/components/headers/IdempotencyReplayed' },
    ...(response.headers as JsonObject | undefined),
  }
  return { ...response, headers }
}

/** Codes that share a status share a response, since an operation has one for each status. */
function problemsByStatus(
  options: ResolvedDescribeOptions,
): readonly { readonly status: string; readonly name: string; readonly response: JsonObject }[] {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of options.codes) {
    const status = options.statusOf(code)
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return [...byStatus].map(([status, codes]) => {
    const [only, ...others] = codes
    const name =
      only !== undefined && others.length === 0 ? responseName(only) : `Idempotency${status}`
    return { status: String(status), name, response: problemResponse(codes, options) }
  })
}
