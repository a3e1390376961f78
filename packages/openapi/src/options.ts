import { type EngineOptions, OptionsError, type ProblemCode, problemTypes } from '@oncekey/core'

/** The options of `idempotency(options)` that clients can notice. */
export type DescribeOptions = Pick<
  EngineOptions<never>,
  'header' | 'replayedHeader' | 'required' | 'docsUrl' | 'problemStatus' | 'methods'
> & {
  /**
   * Codes that these operations never answer with, such as `not-authentic` where Oncekey
   * authenticates nothing. @default `not-authentic`; with `required: false` also `key-missing`
   */
  readonly without?: readonly ProblemCode[]
  /** Which of the operations with a covered method are covered. @default all of them */
  readonly covers?: (path: string, method: string) => boolean
  /** Not used. With it, the options of `idempotency(options)` can be passed as they are. */
  readonly store?: unknown
}

export interface ResolvedDescribeOptions {
  readonly header: string
  readonly replayedHeader: string
  readonly required: boolean
  readonly docsUrl: string | undefined
  readonly codes: readonly ProblemCode[]
  readonly methods: readonly string[]
  statusOf(code: ProblemCode): number
  covers(path: string, method: string): boolean
}

export function resolveDescribeOptions(options: DescribeOptions): ResolvedDescribeOptions {
  const { required = true, docsUrl, problemStatus = {}, covers = () => true } = options
  const without =
    options.without ?? (required ? ['not-authentic'] : ['not-authentic', 'key-missing'])
  for (const code of without) {
    if (!Object.hasOwn(problemTypes, code)) {
      throw new OptionsError(`without: "${code}" is no problem code; docs/errors.md lists them.`)
    }
  }
  const all = Object.keys(problemTypes) as ProblemCode[]
  return {
    header: [options.header ?? 'Idempotency-Key'].flat()[0] ?? 'Idempotency-Key',
    replayedHeader:
      [options.replayedHeader ?? 'X-Idempotency-Replayed'].flat()[0] ?? 'X-Idempotency-Replayed',
    required,
    docsUrl,
    codes: all.filter((code) => !without.includes(code)),
    methods: (options.methods ?? ['POST', 'PATCH']).map((method) => method.toLowerCase()),
    statusOf: (code) => problemStatus[code] ?? problemTypes[code].status,
    covers,
  }
}
