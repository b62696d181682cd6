"""A PySpark job that computes the same figures: `spark.py spark FILE NAMES`; see `scans.py`.

One pass with grouping sets: it took half the time of a pass per column, and of exploding the columns.
"""

import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as f
from pyspark.sql.types import LongType, StructField, StructType


def main() -> int:
    """Scan, and print the number of rows and the seconds after Spark has started."""
    _, file, listed = sys.argv[1:]
    names = listed.split(",")
    config = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "8"}
    builder = SparkSession.builder.master("local[*]")
    for name, value in config.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    began = time.monotonic()
    schema = StructType([StructField(name, LongType()) for name in names])
    if file.endswith(".parquet"):
        frame = spark.read.parquet(file)
    else:
        frame = spark.read.csv(file, schema=schema, nullValue="?")
    sets = [[name] for name in names]
    which = f.grouping_id().alias("which")
    found = frame.groupingSets(sets, *names).agg(which, f.count(f.lit(1)).alias("rows")).collect()
    first = found[0]["which"]
    print(sum(row["rows"] for row in found if row["which"] == first), time.monotonic() - began)
    spark.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
