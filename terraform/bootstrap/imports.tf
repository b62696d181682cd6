# The bucket has to be there before Terraform can keep its state in it: `make apply/ENV` makes it in an empty account,
# and Terraform takes it over here.

import {
  to = module.state.aws_s3_bucket.this
  id = local.variables.state_bucket
}
