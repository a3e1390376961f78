import { refuseOtherChangeFunction } from '../../functions/operator/erase-scope-2.ts'
import { endUnknownKey2 } from '../../superseded/operator/end-unknown-key-2.ts'
import { eraseScopeFunction } from '../../superseded/operator/erase-scope.ts'
import { forgetKey2 } from '../../superseded/operator/forget-key-2.ts'

/**
 * One function writes every audit entry. Entries of a scope's keys can be erased, which is audited.
 */
export function erasableAudit(schema: string): string[] {
  return [
    endUnknownKey2(schema),
    forgetKey2(schema),
    refuseOtherChangeFunction(schema),
    `drop trigger operations_are_only_added on ${schema}.operations`,
    `create trigger operations_are_only_added before delete or truncate
      on ${schema}.operations for each statement execute function ${schema}.refuse_change()`,
    `create trigger operations_are_only_erased before update
      on ${schema}.operations for each row execute function ${schema}.refuse_other_change()`,
    eraseScopeFunction(schema),
    `comment on table ${schema}.operations is
      'The audit trail: every act from outside, in its commit. Only ever added to; erase_scope() '
      'makes the entries of a scope''s keys anonymous, and is in it itself.'`,
  ]
}
