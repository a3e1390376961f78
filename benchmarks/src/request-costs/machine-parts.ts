/** What a function of the Node process belongs to, by its name in the program. */
export function machinePart(name: string): MachinePart {
  for (const [part, pattern] of PATTERNS) if (pattern.test(name)) return part
  return 'Node and libuv'
}

export type MachinePart =
  | 'compiler'
  | 'garbage collector'
  | 'compiled JavaScript'
  | 'SHA-256'
  | 'HTTP parser'
  | 'memory of C'
  | 'V8'
  | 'Node and libuv'

/**
 * In this order. The compiler's work ends once a program is warm, so it is told apart; code that
 * the compiler has written has no name, only an address.
 */
const PATTERNS: readonly (readonly [MachinePart, RegExp])[] = [
  [
    'compiler',
    /internal::(?:compiler|maglev|interpreter|baseline|Zone|ZoneBuffer|Assembler|RegExp(?:Parser|Compiler|Macro|Node|Impl))|[Cc]ompil|Turb|OptimizingCompile|Deoptimiz|BytecodeArray|SourcePosition|FeedbackNexus|Interpreter|Parser(?:Base)?<|PreParser|Scanner|AstRaw|IterateObjectCache|TranslationArray|Translated|std::_Rb_tree/,
  ],
  [
    'garbage collector',
    /Scaveng|Sweeper|Mark(?:ing|Compact)|Evacuat|SlotSet|RememberedSet|[Hh]eap::(?:CollectGarbage|PerformGarbage)|GCTracer|GlobalHandles|EmbedderTracing|heap::base|SlotCallback|RootVisitor|Visitor|YoungGeneration|FreeList|ArrayBufferSweeper/,
  ],
  ['compiled JavaScript', /^(?:0x|Builtins_)/],
  [
    'SHA-256',
    /sha256|EVP_|SHA256|OPENSSL|CRYPTO_|DRBG|drbg|rand_|base64|Hash(?:Traits|Job|Config)/,
  ],
  ['HTTP parser', /llhttp|http_parser|node::\(anonymous namespace\)::Parser/],
  [
    'memory of C',
    /malloc|calloc|realloc|free$|_int_|operator (?:new|delete)|memcpy|memset|memmove/,
  ],
  ['V8', /^(?:v8::|cppgc)|v8::internal/],
]
