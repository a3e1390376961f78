import type { Authenticate } from './authenticate.ts'

/**
 * Whether requests with a method are covered: those of `methods`, in whatever case they came. With
 * `authenticate` it is every method but GET, HEAD and OPTIONS, whatever `methods` says. A request
 * that is not covered is not checked, and whoever forges one chooses its method.
 */
export function coversMethod(
  {
    methods,
    authenticate,
  }: {
    readonly methods: ReadonlySet<string>
    readonly authenticate: Authenticate | undefined
  },
  method: string,
): boolean {
  if (methods.has(method) || methods.has(method.toUpperCase())) return true
  return authenticate !== undefined && !UNCHECKED.has(method)
}

/** Requests with which nothing is told (RFC 9110 section 9.2.1): health checks and handshakes. */
const UNCHECKED: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
