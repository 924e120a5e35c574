#include "audit/cast.h"
